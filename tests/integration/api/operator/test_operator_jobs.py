"""The operator sees the jobs of all accounts, the workers with their chunks, the queue and the servers."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from schemas.settings import Settings
from storage.context import Context
from storage.operator import workers
from storage.pipeline import failures
from tests.factories import contact, make_job
from tests.integration.api.operator.operator_client import OPERATOR_KEY, OperatorClient
from tests.integration.api.service import Client, make_client, serve
from tests.integration.api.work import work
from tests.proxy import postgres_proxy, proxy
from tests.servers import TestServers
from tests.waiting import until
from tests.workers import barred, claim, open_worker, waiting_backends
from worker.signs.heartbeat import beating


async def test_unfinished_jobs_of_all_accounts_come_first(
    ctx: Context, session: aiohttp.ClientSession, operator: OperatorClient, client: Client
) -> None:
    other = await make_client(ctx, session, name="other")
    ended = [(await who.submit_items([contact(1), {"phone": "1"}])).json["id"] for who in (client, other)]
    await work(ctx)
    waiting = [(await who.submit_items([contact(2)])).json["id"] for who in (client, other, client)]
    order = [*reversed(waiting), *reversed(ended)]

    page = await operator.get("/jobs")
    assert [job["id"] for job in page["data"]] == order
    assert {job["account_name"] for job in page["data"]} == {"acme", "other"}
    found, cursor = [], ""
    while True:
        page = await operator.get(f"/jobs?limit=2{cursor}")
        found += [job["id"] for job in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == order

    async def ids(query: str) -> list[str]:
        return [job["id"] for job in (await operator.get(f"/jobs?{query}"))["data"]]

    assert await ids("state=queued") == order[:3]
    assert await ids("state=completed_with_errors") == order[3:]
    assert await ids("operation=contacts.delete") == []
    assert await ids("account=other") == [waiting[1], ended[1]]
    assert await ids(f"account=org_{client.account.id}&state=queued") == [waiting[2], waiting[0]]
    for query, param in (("account=nobody", "account"), ("cursor=nonsense", "cursor"), ("state=x", "state")):
        refused = await operator.call("GET", f"/jobs?{query}")
        assert (refused.status, refused.error["param"]) == (422, param)

    assert (await operator.get("/queue"))["oldest_waiting_job"]["id"] == waiting[0]
    assert (await operator.get("/queue"))["bells"]["queued"] > 0
    slow = await operator.get("/slow")
    assert [(a["account_name"], a["waiting_jobs"], a["oldest_job_id"]) for a in slow["accounts"]] == [
        ("acme", 2, waiting[0]), ("other", 1, waiting[1]),
    ]  # fmt: skip

    job = await operator.get(f"/jobs/{waiting[1]}")
    assert (job["account_name"], job["state"]) == ("other", "queued")
    cancelled = await operator.call("POST", f"/jobs/{waiting[1]}/cancel")
    assert cancelled.status == 200
    await work(ctx)
    assert (await operator.get(f"/jobs/{waiting[1]}"))["state"] == "cancelled"
    late = await operator.call("POST", f"/jobs/{ended[0]}/cancel")
    assert (late.status, late.error["code"]) == (409, "job_ended")
    for unknown in ("nonsense", "job_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        for method, path in (("GET", f"/jobs/{unknown}"), ("POST", f"/jobs/{unknown}/cancel")):
            assert (await operator.call(method, path)).error["code"] == "unknown_job"


async def test_a_worker_is_seen_with_its_chunk_until_it_stops(
    ctx: Context, settings: Settings, operator: OperatorClient, client: Client
) -> None:
    async def listed() -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = (await operator.get("/workers"))["data"]
        return data

    assert await listed() == []
    async with open_worker(settings) as other, beating(ctx), beating(other):
        await until(lambda: _has(listed, 2))
        job_id = await make_job(ctx, client.account.id, [contact(1), contact(2)])
        held = await claim(ctx)
        first, second = await listed()
        mine, idle = (first, second) if first["id"] == str(ctx.worker_id) else (second, first)
        assert idle["chunks"] == []
        (chunk,) = mine["chunks"]
        assert (chunk["account_name"], chunk["first_index"], chunk["items"]) == ("acme", 0, held.items)
        assert chunk["claimed_at"] is not None
        assert (await operator.get(f"/jobs/{chunk['job_id']}"))["account_name"] == "acme"
        assert mine["silent"] is False
        assert job_id
        await ctx.pool.execute(
            "UPDATE workers SET seen_at = seen_at - interval '20 s' WHERE id = $1", other.worker_id
        )
        assert [worker["silent"] for worker in await listed() if worker["id"] == str(other.worker_id)] == [
            True
        ]
    assert await listed() == []  # both have said that they stop


async def test_a_worker_that_is_dead_for_long_is_forgotten(ctx: Context, operator: OperatorClient) -> None:
    await workers.beat(ctx.pool, ctx.worker_id, host="h", pid=1, version="v", age=5)
    await ctx.pool.execute("UPDATE workers SET seen_at = now() - interval '61 s'")
    assert (await operator.get("/workers"))["data"] == []
    async with open_worker(ctx.settings) as other:
        await workers.beat(other.pool, other.worker_id, host="h", pid=2, version="v", age=0)
    assert await ctx.pool.fetchval("SELECT array_agg(pid) FROM workers") == [2]


async def test_failing_jobs_and_waits_for_locks_are_slow(
    ctx: Context, operator: OperatorClient, client: Client
) -> None:
    job_id = await make_job(ctx, client.account.id, [contact(1)])
    await failures.count(ctx.pool, client.account.id, job_id)
    async with barred(ctx, "LOCK TABLE teams IN ACCESS EXCLUSIVE MODE"):
        waits = asyncio.create_task(client.get("/v1/teams"))
        await until(lambda: waiting_backends(ctx), seconds=10)
        slow = await operator.get("/slow")
        (lock,) = slow["locks"]
        assert "teams" in lock["query"]
        assert lock["name"] == "bulklane-api"
        assert len(lock["blocked_by"]) == 1
        assert (await operator.get("/health"))["postgres"]["waiting_for_locks"] == 1
    assert (await waits).status == 200
    (failing,) = slow["jobs"]
    assert (failing["failures"], failing["job"]["account_name"]) == (1, "acme")


async def test_the_health_tells_of_both_servers_also_while_one_is_away(
    settings: Settings, servers: TestServers, tmp_path: Path
) -> None:
    assert settings.database_url is not None
    path = servers.redis_socket.parent / "health.valkey"
    async with (
        postgres_proxy(tmp_path, settings.database_url) as (postgres, database_url),
        proxy(path, servers.redis_socket) as redis,
    ):
        change = {"operator_key": OPERATOR_KEY, "database_url": database_url, "redis_url": f"unix://{path}"}
        async with (
            serve(settings.model_copy(update=change)) as service,
            aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
        ):
            operator = OperatorClient(session)
            health = await operator.get("/health")
            assert (health["status"], health["migrated"], health["redis_paused"]) == ("ready", True, False)
            assert health["failing_jobs"] == 0
            assert health["postgres"]["version"].split(".")[0].isdigit()
            assert health["postgres"]["max_connections"] > health["postgres"]["connections"] >= 0
            assert health["postgres"]["bytes"] > 1_000_000
            assert {table["name"] for table in health["tables"]} & {"jobs", "accounts"}
            assert health["redis"]["software"] in {"Redis", "Valkey"}
            assert health["redis"]["memory"] > 0
            await redis.stop()
            health = await operator.get("/health")
            assert (health["status"], health["redis"], health["redis_paused"]) == ("degraded", None, True)
            assert health["postgres"] is not None
            assert (await operator.get("/queue"))["bells"] is None
            await postgres.stop()
            health = await operator.get("/health")
            assert (health["status"], health["postgres"], health["tables"]) == ("not ready", None, [])
            assert (await operator.call("GET", "/accounts")).status == 503


async def _has(listed: Callable[[], Awaitable[list[Any]]], count: int) -> bool:
    return len(await listed()) == count
