"""`./run bench peers`: the service beside hand-written workers, `bench.loads.peer_worker`.

The hand-written way has no HTTP, stores no request, has no order and no answers. Its time is from the first
chunk in the queue to the last one applied.
"""

import asyncio
import shlex
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from arq.connections import ArqRedis

from bench.lab.client import Client
from bench.lab.cost import Cost, cost_of
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import COLUMNS, METADATA, Row, contact_rows, ndjson
from bench.lab.service import Service, running_service
from bench.loads.load import WARM_UP_ROWS, Pair, load_once
from bench.loads.peer_worker import DONE, QUEUE
from embedded.supervisor.commands import Command, environment
from storage.queue import connect

CHUNK = 1_000
PROCESSES = 2
END_SECONDS = 600.0
CHECK_SECONDS = 0.01


def measure(results: Results, *, rows: Rows = 200_000, rounds: Rounds = 3, workers: Workers = 2) -> None:
    """Measure the service beside hand-written arq workers."""
    pairs = asyncio.run(_measure(rows, rounds, workers))
    ours, theirs = [pair.ours for pair in pairs], [pair.plain for pair in pairs]
    ratios = [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)]
    results.row("the service", rows_per_s=[cost.rate for cost in ours], **Cost.columns(ours))
    results.row("hand-written workers", rows_per_s=[cost.rate for cost in theirs], **Cost.columns(theirs))
    results.row("the service against them", ratio=ratios)
    results.target("peers", ratios)


async def _measure(size: int, rounds: int, workers: int) -> list[Pair]:
    async with running_service(workers=workers) as service, _peers(service) as redis:
        client = await service.client()
        warm_up = contact_rows(range(WARM_UP_ROWS))
        await client.run("contacts.upsert", ndjson(warm_up))
        await _empty(service)
        await _by_hand(redis, warm_up)
        rows = contact_rows(range(size))
        return [await _pair(service, client, redis, rows) for _ in range(rounds)]


async def _pair(service: Service, client: Client, redis: ArqRedis, rows: list[Row]) -> Pair:
    await _empty(service)
    await service.rest()
    ours = await load_once(service, client, rows)
    await service.rest()
    return Pair(ours=ours, plain=await cost_of(service, len(rows), _by_hand(redis, rows)))


async def _empty(service: Service) -> None:
    await service.sql("TRUNCATE contacts")
    await service.sql("DROP TABLE IF EXISTS peer")
    await service.sql("CREATE TABLE peer (LIKE contacts INCLUDING ALL)")


async def _by_hand(redis: ArqRedis, rows: Sequence[Row]) -> float:
    """Let the hand-written workers load rows. Return the seconds."""
    await redis.delete(DONE)
    records = [dict(zip(COLUMNS[:4], row[:4], strict=True)) | {"metadata": METADATA} for row in rows]
    started = time.perf_counter()
    chunks = 0
    for at in range(0, len(records), CHUNK):
        await redis.enqueue_job("apply", records[at : at + CHUNK])
        chunks += 1
    async with asyncio.timeout(END_SECONDS):
        while await redis.zcard(DONE) < chunks:  # noqa: ASYNC110 - asked from outside
            await asyncio.sleep(CHECK_SECONDS)
    return time.perf_counter() - started


@asynccontextmanager
async def _peers(service: Service) -> AsyncIterator[ArqRedis]:
    """Run the hand-written workers while the body runs. They count as workers of the service."""
    redis = connect(service.valkey.url, queue_name=QUEUE)
    env = environment(host="", port=0, database_url=service.database_url, redis_url=service.valkey.url)
    env["PYTHONPATH"] = str(Path(__file__).parents[2])
    line = f"{shlex.quote(sys.executable)} -m arq bench.loads.peer_worker.WorkerSettings"
    peers = [
        Command(f"peer-{number}", service.home, line, env=env, cwd=service.home.path)
        for number in range(PROCESSES)
    ]
    service.workers += peers
    await asyncio.gather(*(peer.start() for peer in peers))
    try:
        yield redis
    finally:
        await redis.aclose()
