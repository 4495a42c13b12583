"""`./run bench latency`: a small job on an idle service, from the POST with `Prefer: wait` to the answer.

The reference is COPY + ON CONFLICT of the same rows in one transaction, which also waits for the disk.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence

from bench.lab.client import Client, Connection
from bench.lab.cost import Cost, Meter
from bench.lab.options import Jobs, Rounds, Workers
from bench.lab.plain import Plain
from bench.lab.results import Results
from bench.lab.rows import Row, json_array, small_jobs
from bench.lab.service import Service, running_service

WAIT_SECONDS = 10
WARM_UP_JOBS = 20
SIZES = (10, 1_000)


def measure(
    results: Results,
    *,
    jobs: Jobs = 300,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """Measure a small job on an idle service, from the POST to the answer."""
    found = asyncio.run(_measure(jobs, rounds, workers))
    for size, times in found.items():
        ours, plain = [one for one, _, _ in times], [other for _, other, _ in times]
        costs = [cost for _, _, cost in times]
        middle = [statistics.median(one) * 1e3 for one in ours]
        results.row(
            f"{size:,} items",
            p50_ms=middle,
            p95_ms=[percentile(one, 95) * 1e3 for one in ours],
            plain_p50_ms=[statistics.median(other) * 1e3 for other in plain],
            **Cost.columns(costs),
        )
        results.target(f"latency_{size}", middle)


async def _measure(
    jobs: int, rounds: int, workers: int
) -> dict[int, list[tuple[list[float], list[float], Cost]]]:
    found: dict[int, list[tuple[list[float], list[float], Cost]]] = {size: [] for size in SIZES}
    async with running_service(workers=workers) as service:
        client = await service.client()
        plain = await Plain.connect(service.database_url)
        await plain.empty()
        await latencies(client, WARM_UP_JOBS, 10)
        for _ in range(rounds):
            for size in SIZES:
                found[size].append(await _round(service, client, plain, jobs, size))
        await plain.close()
    return found


async def _round(
    service: Service, client: Client, plain: Plain, jobs: int, size: int
) -> tuple[list[float], list[float], Cost]:
    await service.sql("TRUNCATE contacts")
    await plain.empty()
    meter = Meter(service)
    ours = await latencies(client, jobs, size)
    cost = meter.cost(jobs, sum(ours))
    return ours, [await plain.load(rows) for rows in small_jobs(jobs, size)], cost


async def latencies(client: Client, jobs: int, size: int) -> list[float]:
    """Run jobs one after the other. Return the seconds of each from the POST to the answer."""
    async with client.connection() as connection:
        return [await latency(connection, rows) for rows in small_jobs(jobs, size)]


async def latency(connection: Connection, rows: Sequence[Row]) -> float:
    """Run one job. Return the seconds from the POST to the answer."""
    body = json_array(rows)
    started = time.perf_counter()
    await connection.submit(body, wait=WAIT_SECONDS, status=200)
    return time.perf_counter() - started


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile: a value that occurred."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]
