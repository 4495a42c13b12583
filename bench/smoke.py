"""`./run bench smoke`: the guard against regressions: the ratios that a minute can show, at small sizes.

A round measures all of them, one after the other. Another round begins only while the time lasts, so that a
busy machine measures less and ends in time. Small sizes favour plain SQL, which has no request to accept and
no job to end, so the ratios are lower than those of the other benchmarks.
"""

import asyncio
import time
from typing import Annotated

import typer

from bench.lab.client import Client
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.plain import Plain
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson
from bench.lab.service import Service, running_service
from bench.loads import duplicates, load, operations
from bench.traffic import fair
from bench.traffic.latency import WARM_UP_JOBS, latencies

WARM_UP_ROWS = 5_000
VISITS = 30
LARGE = 3  # the large job of `fair` has this many times the rows of the others
OPERATIONS = [case for case in operations.CASES if case is not operations.ALL_FIELDS]

Ratios = dict[str, float]  # by target


def measure(
    results: Results,
    *,
    rows: Rows = 10_000,
    rounds: Rounds = 3,
    seconds: Annotated[float, typer.Option(min=0, help="Begin no round that would end later.")] = 50,
    workers: Workers = 2,
) -> None:
    """Measure the ratios of load, operations, duplicates and fair within a minute."""
    found = asyncio.run(_measure(rows, rounds, seconds, workers))
    results.targets_of(found)


async def _measure(rows: int, rounds: int, seconds: float, workers: int) -> list[Ratios]:
    ends = time.perf_counter() + seconds
    found, longest = list[Ratios](), 0.0
    async with running_service(workers=workers) as service:
        large, small = await service.client(), await service.client()
        plain = await load.warmed_up(service, large, min(rows, WARM_UP_ROWS))
        await latencies(small, WARM_UP_JOBS, fair.ITEMS)
        while not found or (len(found) < rounds and time.perf_counter() + longest < ends):
            started = time.perf_counter()
            found.append(await _round(service, large, small, plain, rows, f"round {len(found)}"))
            longest = max(longest, time.perf_counter() - started)
        await plain.close()
    return found


async def _round(
    service: Service, large: Client, small: Client, plain: Plain, rows: int, name: str
) -> Ratios:
    body = ndjson(contact_rows(range(LARGE * rows)))
    return {
        **load.ratios(await load.run_round(service, large, plain, rows)),
        **operations.ratios(await operations.run_round(service, large, name, rows, OPERATIONS)),
        **duplicates.ratios(await duplicates.run_round(service, large, rows // 2)),
        **fair.ratios(await fair.run_round(service, large, small, body, VISITS)),
    }
