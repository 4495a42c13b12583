"""POST /v1/jobs/{id}/cancel: applied items stay, and the response waits for the end of the job."""

import asyncio
from typing import Any

import aiohttp
import pytest

from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.raw_upload import until_true, upload
from tests.integration.api.service import Client, Response, Service, make_client
from tests.integration.api.work import split, stored, work
from tests.waiting import until
from tests.workers import claim, serving
from worker.apply import apply_chunk

ROWS = b"".join(b"%s,Name\n" % phone(n).encode() for n in range(50_000))  # about 1 MiB


async def cancel(client: Client, job: str, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.call("POST", f"/v1/jobs/{job}/cancel", headers=names)


async def submit(client: Client, count: int, query: str = "") -> str:
    response = await client.submit_items([contact(n) for n in range(count)], query)
    job: str = response.json["id"]
    return job


async def test_the_response_is_the_ended_job(ctx: Context, client: Client) -> None:
    job = await submit(client, 2_500)
    await apply_chunk(ctx, await claim(ctx))
    async with serving(ctx):
        response = await cancel(client, job)
    assert response.status == 200
    assert (response.json["state"], response.json["total"]) == ("cancelled", 2_500)
    counts = response.json["counts"]
    assert counts["created"] >= 1_000
    assert counts["created"] + counts["cancelled"] == 2_500
    assert (counts["pending"], response.json["progress"]) == (0, 1.0)
    assert len(await stored(ctx)) == counts["created"]


async def test_without_a_worker_the_response_is_the_current_job(ctx: Context, client: Client) -> None:
    job = await submit(client, 3)
    clock = asyncio.get_running_loop().time
    began = clock()
    response = await cancel(client, job)
    assert 1.9 < clock() - began < 5
    assert (response.status, response.json["state"]) == (200, "queued")
    assert (response.json["counts"]["cancelled"], response.json["counts"]["pending"]) == (3, 0)
    await work(ctx)
    assert (await client.get(f"/v1/jobs/{job}")).json["state"] == "cancelled"


@pytest.mark.parametrize("preference", ["wait=0", "respond-async"])
async def test_a_client_can_choose_not_to_wait(client: Client, preference: str) -> None:
    job = await submit(client, 3)
    async with asyncio.timeout(1.5):
        assert (await cancel(client, job, Prefer=preference)).status == 200


async def test_the_results_of_a_cancelled_job_cover_every_item(ctx: Context, client: Client) -> None:
    response = await client.submit_items([{"phone": "12"}, *(contact(n) for n in range(1_004))])
    await apply_chunk(ctx, await claim(ctx))
    job = response.json["id"]
    await cancel(client, job, Prefer="wait=0")
    await work(ctx)
    lines = (await client.get(f"/v1/jobs/{job}/results", Accept="text/csv")).body.splitlines()[1:]
    words = [line.split(b",")[:2] for line in lines]
    assert words == [
        [b"%d" % n, b"failed" if n == 0 else b"created" if n < 1_000 else b"cancelled"] for n in range(1_005)
    ]
    page = (await client.get(f"/v1/jobs/{job}/results?cursor=1003")).json
    (last,) = page["data"]
    assert last == {
        "index": 1_004, "outcome": "cancelled", "contact_id": None, "merged_into": None, "code": None,
        "message": None, "fields": None,
    }  # fmt: skip
    errors = (await client.get(f"/v1/jobs/{job}/errors")).json["data"]
    assert [error["index"] for error in errors] == [0]


async def test_cancelling_again_gives_the_same_response(ctx: Context, client: Client) -> None:
    job = await submit(client, 3)
    async with serving(ctx):
        first = await cancel(client, job)
        second = await cancel(client, job)
    assert first.json["state"] == "cancelled"
    assert (second.status, second.json) == (200, first.json)


async def test_a_job_that_has_ended_cannot_be_cancelled(ctx: Context, client: Client) -> None:
    job = await submit(client, 3)
    await work(ctx)
    response = await cancel(client, job)
    assert (response.status, response.error["type"], response.error["code"]) == (409, "conflict", "job_ended")
    assert (await client.get(f"/v1/jobs/{job}")).json["state"] == "completed"


@pytest.mark.parametrize("job", ["job_01KAJ0Q5N4Q3S8Z6X2V7T1R9WC", "job_x", "17"])
async def test_an_unknown_job_cannot_be_cancelled(client: Client, job: str) -> None:
    response = await cancel(client, job)
    assert (response.status, response.error["code"]) == (404, "unknown_job")


async def test_the_job_of_another_account_cannot_be_cancelled(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    job = await submit(client, 3)
    stranger = await make_client(ctx, session)
    response = await cancel(stranger, job)
    assert (response.status, response.error["code"]) == (404, "unknown_job")
    await work(ctx)
    assert len(await stored(ctx)) == 3


async def test_an_unknown_parameter_is_refused(ctx: Context, client: Client) -> None:
    job = await submit(client, 3)
    response = await client.call("POST", f"/v1/jobs/{job}/cancel?force=true")
    assert (response.status, response.error["code"]) == (422, "unknown_parameter")
    await work(ctx)
    assert len(await stored(ctx)) == 3


async def test_a_large_upload_is_cancelled_before_it_is_split(ctx: Context, client: Client) -> None:
    response = await client.submit(b"phone,name\n" + ROWS * 2, "text/csv")
    job = response.json["id"]
    assert (await cancel(client, job, Prefer="wait=0")).json["total"] is None
    await split(ctx)
    ended: Any = (await client.get(f"/v1/jobs/{job}")).json
    assert (ended["state"], ended["total"], ended["counts"]["cancelled"]) == ("cancelled", 100_000, 100_000)
    assert await stored(ctx) == {}


async def test_an_upload_is_cancelled_while_it_arrives_and_leaves_nothing(
    ctx: Context, service: Service, client: Client
) -> None:
    async with upload(service, client, "text/csv") as cut:
        await cut.send(b"phone,name\n")
        for _ in range(4):
            await cut.send(ROWS)
        await until_true(ctx, "SELECT count(*) > 1 FROM parts")
        (job,) = await client.jobs()
        response = await cancel(client, job["id"])
        assert (response.status, response.json["state"], response.json["total"]) == (200, "cancelled", 0)
        await cut.send(ROWS)
        await cut.end()
        refused = await cut.response()
    assert refused.startswith(b"HTTP/1.1 409 ")
    for table in ("parts", "chunks", "outcomes", "contacts", "streams"):
        assert await ctx.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    assert (await client.get(f"/v1/jobs/{job['id']}")).json["state"] == "cancelled"


async def test_a_waiting_request_returns_when_the_upload_is_cancelled(
    ctx: Context, service: Service, client: Client
) -> None:
    async with upload(service, client, "text/csv") as cut:
        await cut.send(b"phone,name\n" + ROWS * 3)
        await until_true(ctx, "SELECT count(*) = 1 FROM jobs")
        (job,) = await client.jobs()
        waiting = asyncio.create_task(client.get(f"/v1/jobs/{job['id']}?wait=30"))
        await until(lambda: _waiting(service))
        async with asyncio.timeout(5):
            await cancel(client, job["id"])
            assert (await waiting).json["state"] == "cancelled"


async def _waiting(service: Service) -> int:
    return service.api.ended.waiting
