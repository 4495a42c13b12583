"""Each rule fires by the fault that it is for, and no other rule does."""

import asyncio
import signal
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from schemas.ids import read_job_id
from tests.factories import contact
from tests.faults.alerts.prometheus import OPERATOR_KEY, Prometheus, evaluate, rules
from tests.faults.harness.client import PatientClient
from tests.faults.harness.cluster import Cluster, cluster
from tests.integration.scrape import PROMTOOL
from tests.receiver import Received, receiving
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt install prometheus"),
]

of_module = pytest.mark.asyncio(loop_scope="module")

ERRORS = {
    "BulklaneUnexpectedErrors",
    "BulklaneFailingJobs",
    "BulklaneChunksDie",
    "BulklaneItemsFail",
    "BulklaneAccountsThrottled",
    "BulklaneDeliveriesFail",
    "BulklaneWebhookSwitchedOff",
}
WITHOUT_WORKERS = {
    "BulklaneNoWorkers",
    "BulklaneJobsWait",
    "BulklaneBacklogLarge",
    "BulklaneDeliveriesOverdue",
}
DEATHS = {"BulklaneProcessesDie", "BulklaneChunksDie", "BulklaneProcessDown"}
SERVERS = {"BulklanePostgresDown", "BulklaneRedisDown"}
POOL = {"BulklanePoolExhausted", "BulklanePostgresDown"}  # the scrape, too, gets no connection

POOL_SIZE = 4  # of the api
# as if a migration had not run; and back
HIDE = ("ALTER TABLE labels RENAME TO away", "ALTER TABLE contacts RENAME nickname TO away")
SHOW = ("ALTER TABLE away RENAME TO labels", "ALTER TABLE contacts RENAME away TO nickname")
# copies of a job that waits, in a stream of their own
COPIES = """
WITH entered AS (SELECT enter_stream(account_id, 'copies', 5001) FROM jobs WHERE id = $1)
INSERT INTO jobs SELECT (jsonb_populate_record(j, jsonb_build_object(
    'id', gen_random_uuid(), 'idempotency_key', NULL, 'stream', 'copies', 'stream_position', n))).*
FROM entered, jobs j, generate_series(1, 5001) n WHERE j.id = $1
"""
# a message that this release cannot make
UNKNOWN = """
INSERT INTO webhook_deliveries (account_id, webhook_id, event, job_id)
SELECT account_id, 'gone', 'job.of_a_newer_release', id FROM jobs
"""
OVERDUE = "UPDATE webhooks SET due_at = now() - interval '1 hour'"
FORGET = (
    "DELETE FROM jobs WHERE stream = 'copies'",
    "DELETE FROM streams WHERE stream = 'copies'",
    "DELETE FROM webhooks",
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared_cluster() -> AsyncIterator[Cluster]:
    """Run one api and two workers whose metrics can be read."""
    async with cluster(
        proxied=True,
        OPERATOR_KEY=OPERATOR_KEY,
        METRICS_PORT="0",
        API_POOL_SIZE=str(POOL_SIZE),
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def prometheus(running: Cluster) -> AsyncIterator[Prometheus]:
    """Return a Prometheus that sees the api and both workers, while no rule fires."""
    async with aiohttp.ClientSession() as session:
        watching = Prometheus(running, session)

        async def sees_all() -> bool:
            scraped = await watching.scrape()
            seen = sum(series.startswith("up{") for series in scraped)
            return seen == 3 and not await asyncio.to_thread(evaluate, scraped, scraped, ())

        # forget the dead workers of an earlier test
        await running.sql("DELETE FROM workers WHERE pid <> ALL ($1)", [part.pid for part in running.workers])
        await until(sees_all, 60)
        yield watching


def test_every_rule_is_fired_by_a_test() -> None:
    assert rules().keys() == ERRORS | WITHOUT_WORKERS | DEATHS | SERVERS | POOL


@of_module
async def test_errors_bad_items_and_windows(running: Cluster, prometheus: Prometheus) -> None:
    client, limited = await running.client(), await running.client(item_limit=10)
    before = await prometheus.scrape()
    await client.ended(await client.submit([{"phone": "12"} for _ in range(1_500)]), seconds=60)
    running.steps.arm("prepare.item", "fail if poison")
    await client.ended(await client.submit([contact(1, name="poison")]), seconds=60)
    await limited.submit([contact(n) for n in range(25)])
    await meet_webhook_errors(running, client)
    for statement in HIDE:
        await running.sql(statement)
    assert (await client.once("GET", "/v1/labels")).status == 500
    await client.submit([contact(2, nickname="Two")])
    await prometheus.fire(before, ERRORS)
    for statement in SHOW:
        await running.sql(statement)
    await running.sql("UPDATE accounts SET item_limit = 0")
    await running.sql("UPDATE account_turns SET ready_at = throttled_at")
    await client.all_ended(seconds=60)


async def meet_webhook_errors(running: Cluster, client: PatientClient) -> None:
    """Have a worker fail to make a message, and an endpoint answer 410."""
    async with receiving() as receiver:
        receiver.answer = gone
        await client.call("PUT", "/v1/webhooks/gone", json={"url": receiver.url()})
        await running.sql(UNKNOWN)
        await until(lambda: running.sql("SELECT FROM webhook_deliveries WHERE faults > 0"), 60)
        await client.call("POST", "/v1/webhooks/gone/test")
        await until(lambda: running.sql("SELECT FROM webhooks WHERE off_reason = 'gone'"), 60)
    await client.call("DELETE", "/v1/webhooks/gone")


async def gone(_: Received) -> web.StreamResponse:
    """Answer that the endpoint does not exist any more."""
    return web.Response(status=410)


@of_module
async def test_a_worker_and_an_api_die(running: Cluster, prometheus: Prometheus) -> None:
    client = await running.client()
    (api,) = running.apis
    before = await prometheus.scrape()
    for part in (api, *running.workers):
        await part.unwatch()  # a worker that begins again could free the lease before it is scraped
    running.steps.arm("apply.after_copy", "kill")
    job = await client.submit([contact(1)])
    await running.steps.taken("apply.after_copy")
    await client.ended(job, seconds=60)  # the other worker has freed its lease
    await api.kill()
    await prometheus.fire(before, DEATHS)


@of_module
async def test_no_worker_runs_while_jobs_arrive(running: Cluster, prometheus: Prometheus) -> None:
    client = await running.client()
    before = await prometheus.scrape()
    for worker in running.workers:
        await worker.unwatch()
        await worker.end(signal.SIGTERM)
    job = await client.submit([contact(1)])
    await running.sql("UPDATE jobs SET accepted_at = accepted_at - interval '1 hour' WHERE state = 'queued'")
    await running.sql(COPIES, read_job_id(job))
    await client.call("PUT", "/v1/webhooks/late", json={"url": "https://example.com"})
    await running.sql(OVERDUE)
    await prometheus.fire(before, WITHOUT_WORKERS)
    for statement in FORGET:
        await running.sql(statement)


@of_module
async def test_both_servers_are_away(running: Cluster, prometheus: Prometheus) -> None:
    before = await prometheus.scrape()
    for database, redis in running.proxies.values():
        database.silent = True
        await redis.stop()
    await prometheus.fire(before, SERVERS)
    for _, redis in running.proxies.values():
        await redis.start()


@of_module
async def test_all_connections_of_an_api_are_in_use(running: Cluster, prometheus: Prometheus) -> None:
    client = await running.client()
    before = await prometheus.scrape()
    conn = await running.connect()
    async with conn.transaction():
        await conn.execute("LOCK TABLE labels IN ACCESS EXCLUSIVE MODE")
        # each gives up after some seconds, and then the next one waits for the lock
        waiting = [asyncio.create_task(client.once("GET", "/v1/labels")) for _ in range(20 * POOL_SIZE)]
        await prometheus.fire(before, POOL)
    await conn.close()
    await asyncio.gather(*waiting, return_exceptions=True)
