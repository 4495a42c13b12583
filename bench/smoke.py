"""`./run bench smoke`: the guard against regressions: the ratios that a minute can show, at small sizes.

Small sizes favour plain SQL, which has no request to accept and no job to end, so the ratios are lower than
those of the other benchmarks.
"""

import asyncio

from bench.lab.options import Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson
from bench.lab.service import Service, running_service
from bench.loads import duplicates, load, operations
from bench.traffic import fair
from bench.traffic.latency import WARM_UP_JOBS, latencies

VISITS = 30
LARGE = 3  # the large job of `fair` has this many times the rows of the others


def measure(results: Results, *, rows: Rows = 20_000, rounds: Rounds = 3, workers: Workers = 2) -> None:
    """Measure the ratios of load, operations, duplicates and fair within a minute."""
    asyncio.run(_measure(results, rows, rounds, workers))


async def _measure(results: Results, rows: int, rounds: int, workers: int) -> None:
    async with running_service(workers=workers) as service:
        client = await service.client()
        plain = await load.warmed_up(service, client)
        load.report(results, [await load.run_round(service, client, plain, rows) for _ in range(rounds)])
        await plain.close()
        turns = range(rounds)
        operations.report(
            results, [await operations.run_round(service, client, f"list {n}", rows) for n in turns]
        )
        duplicates.report(results, [await duplicates.run_round(service, client, rows // 2) for _ in turns])
        fair.report(results, [await _visit(service, rows) for _ in turns])


async def _visit(service: Service, rows: int) -> fair.Visit:
    large, small = await service.client(), await service.client()
    await latencies(small, WARM_UP_JOBS, fair.ITEMS)
    body = ndjson(contact_rows(range(LARGE * rows)))
    return await fair.run_round(service, large, small, body, VISITS)
