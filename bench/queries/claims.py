"""`./run bench claims`: what a claim and a round of the reconciler cost PostgreSQL when much is stored.

The states are made over HTTP and by the workers. pg_stat_statements counts the statements while one worker
works. The reference is the same claim in an empty service.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated

import typer

from bench.lab import statements
from bench.lab.client import NDJSON, Client
from bench.lab.options import Jobs, Rounds
from bench.lab.results import Results
from bench.lab.rows import json_array, references, small_jobs
from bench.lab.service import STATEMENTS, Service, running_service
from bench.lab.statements import CLAIM
from bench.traffic.jobs import ITEMS
from bench.traffic.queue import fill_queue
from storage.entities.accounts import AccountChange

DAY_SECONDS = 86_400
TIGHT = AccountChange(item_limit=1, window_seconds=DAY_SECONDS, request_limit=0)
ONE_TURN = {"WORKER_TURNS": "1"}  # no claim waits for another one
CHECK_SECONDS = 0.05
END_SECONDS = 900.0
UNENDED = "SELECT count(*) FROM jobs WHERE finished_at IS NULL"
UNTHROTTLED = "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND throttled_until IS NULL"


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The claims of one job: milliseconds of PostgreSQL, statements, and pages that they touched."""

    job: float
    calls: float
    buffers: float


def measure(
    results: Results,
    *,
    accounts: Annotated[int, typer.Option(min=1, help="Throttled accounts; accounts with jobs.")] = 10_000,
    jobs: Jobs = 10_000,
    streams: Annotated[int, typer.Option(min=1, help="Label streams of one account.")] = 1_000,
    measured: Annotated[int, typer.Option(min=1, help="Jobs whose claims are measured.")] = 200,
    seconds: Annotated[float, typer.Option(help="Seconds for which the reconciler is measured.")] = 5,
    rounds: Rounds = 3,
) -> None:
    """Measure claims and the reconciler with many accounts, jobs and streams."""
    empty = asyncio.run(_few(measured, rounds))
    queued, reconciler = asyncio.run(_queued(accounts, jobs, measured, seconds, rounds))
    throttled = asyncio.run(_throttled(accounts, measured, rounds))
    labels = asyncio.run(_labels(streams, measured, rounds))
    for what, found in (
        ("one account", empty),
        (f"{jobs:,} jobs queued", queued),
        (f"{accounts:,} throttled accounts", throttled),
        (f"{streams:,} label streams of one account", labels),
    ):
        results.row(
            f"claim: {what}",
            ms_per_job=[claims.job for claims in found],
            statements_per_job=[claims.calls for claims in found],
            pages_per_job=[claims.buffers for claims in found],
        )
    results.row(f"reconciler: {accounts:,} accounts with queued jobs", ms_per_second=reconciler)
    results.target("claim_queued", [claims.job for claims in queued])
    results.target("claim_throttled", [claims.job for claims in throttled])
    results.target("claim_streams", [claims.job for claims in labels])
    results.target("reconciler", reconciler)


async def _few(measured: int, rounds: int) -> list[Claims]:
    async with running_service(workers=0, postgres=STATEMENTS, **ONE_TURN) as service:
        client = await service.client()
        return [await _drain(service, client, measured) for _ in range(rounds)]


async def _queued(
    accounts: int, jobs: int, measured: int, seconds: float, rounds: int
) -> tuple[list[Claims], list[float]]:
    """Measure the claims of the first jobs of many, and the reconciler while no turn can be taken."""
    async with running_service(workers=0, postgres=STATEMENTS, **ONE_TURN) as service:
        clients = await service.clients(accounts)
        bodies = [json_array(rows) for rows in small_jobs(max(1, jobs // accounts), ITEMS)]
        await fill_queue(clients, bodies)
        await service.sql("ANALYZE")
        reconciler = await _reconciler(service, seconds, rounds)
        return await _first_claims(service, measured, rounds), reconciler


async def _reconciler(service: Service, seconds: float, rounds: int) -> list[float]:
    """Return the milliseconds a second of what is no claim, while the turns of all accounts are locked."""
    found = []
    async with service.claims_nothing():
        await service.scale(2)
        await asyncio.sleep(2 * seconds)  # the start of the workers
        for _ in range(rounds):
            await statements.start(service)
            await asyncio.sleep(seconds)
            others = [one for one in await statements.read(service) if not CLAIM.search(one.query)]
            found.append(sum(one.milliseconds for one in others) / seconds)
        await service.scale(0)
    return found


async def _throttled(accounts: int, measured: int, rounds: int) -> list[Claims]:
    async with running_service(workers=0, postgres=STATEMENTS, **ONE_TURN) as service:
        clients = await service.clients(accounts, TIGHT)
        await fill_queue(clients, [json_array(rows) for rows in small_jobs(1, 2)])
        await service.scale(2)
        await _until(service, UNTHROTTLED, 0)
        await service.scale(0)
        await service.sql("ANALYZE")
        client = await service.client()
        return [await _drain(service, client, measured) for _ in range(rounds)]


async def _labels(streams: int, measured: int, rounds: int) -> list[Claims]:
    """Measure an account that has a job in each of many streams."""
    settings = {"MAX_UNFINISHED_JOBS": str(streams + 1), **ONE_TURN}
    async with running_service(workers=0, postgres=STATEMENTS, **settings) as service:
        client = await service.client()
        (rows,) = small_jobs(1, 1)
        for number in range(streams):
            body = json.dumps({"name": f"label {number}"})
            label = await client.call(
                "POST", "/v1/labels", body, {"Content-Type": "application/json"}, status=201
            )
            path = f"/v1/bulk/labels.attach?label_id={label['id']}"
            await client.call("POST", path, references(rows), {"Content-Type": NDJSON}, status=202)
        await service.sql("ANALYZE")
        return await _first_claims(service, measured, rounds)


async def _drain(service: Service, client: Client, measured: int) -> Claims:
    """Measure the claims of an account without limits, whose jobs are small. No other job can be claimed."""
    await fill_queue([client], [json_array(rows) for rows in small_jobs(measured, ITEMS)])
    return await _claims(service, measured)


async def _first_claims(service: Service, measured: int, rounds: int) -> list[Claims]:
    """Measure the claims of the first jobs that wait, and of the next ones, while any is left."""
    found: list[Claims] = []
    while len(found) < rounds and (await _count(service, UNENDED) or not found):
        found.append(await _claims(service, measured))
    return found


async def _claims(service: Service, measured: int) -> Claims:
    """Measure the claims of a worker until it has ended `measured` jobs, or a few more."""
    before = await _count(service, UNENDED)
    await statements.start(service)
    await service.scale(1)
    await _until(service, UNENDED, max(0, before - measured))
    found = [one for one in await statements.read(service) if CLAIM.search(one.query)]
    jobs = before - await _count(service, UNENDED)
    await service.scale(0)
    return Claims(
        job=sum(one.milliseconds for one in found) / jobs,
        calls=sum(one.calls for one in found) / jobs,
        buffers=sum(one.buffers for one in found) / jobs,
    )


async def _until(service: Service, query: str, most: int) -> None:
    """Wait until a count is at most `most`."""
    conn = await service.connect()
    async with asyncio.timeout(END_SECONDS):
        while await conn.fetchval(query) > most:  # noqa: ASYNC110 - asked from outside; nothing tells it
            await asyncio.sleep(CHECK_SECONDS)
    await conn.close()


async def _count(service: Service, query: str) -> int:
    (row,) = await service.sql(query)
    return int(row[0])
