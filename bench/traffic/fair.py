"""`./run bench fair`: small jobs of one account, alone and then beside a large job of another account."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import Any

from bench.lab.client import Client
from bench.lab.options import Jobs, Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson
from bench.lab.service import Service, running_service
from bench.traffic.latency import WARM_UP_JOBS, latencies, latency, percentile

ITEMS = 10
PAUSE_SECONDS = 0.05  # between small jobs, so that they are a visitor and not a load


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One round: the seconds of the small jobs, and the rows and the rate of the large one."""

    alone: list[float]
    beside: list[float]
    rows: int
    rate: float


def measure(
    results: Results,
    *,
    rows: Rows = 600_000,
    jobs: Jobs = 150,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """Measure small jobs of one account beside a large job of another."""
    found = asyncio.run(_measure(rows, jobs, rounds, workers))
    for what, times in (("alone", [one.alone for one in found]), ("beside", [one.beside for one in found])):
        results.row(
            f"{ITEMS} items, {what}",
            p50_ms=[statistics.median(one) * 1e3 for one in times],
            p95_ms=[percentile(one, 95) * 1e3 for one in times],
            max_ms=[max(one) * 1e3 for one in times],
            jobs=[float(len(one)) for one in times],
        )
    results.row("p95 beside against alone", ratio=[ratios(one)["fair"] for one in found])
    results.row(f"the job of {found[0].rows:,} rows", rows_per_s=[one.rate for one in found])
    results.targets_of([ratios(one) for one in found])


def ratios(visit: Visit) -> dict[str, float]:
    """Return the time of a small job beside a large one, against its time alone, by target."""
    return {"fair": percentile(visit.beside, 95) / percentile(visit.alone, 95)}


async def _measure(rows: int, jobs: int, rounds: int, workers: int) -> list[Visit]:
    async with running_service(workers=workers) as service:
        large, small = await service.client(), await service.client()
        await latencies(small, WARM_UP_JOBS, ITEMS)
        body = ndjson(contact_rows(range(rows)))
        return [await run_round(service, large, small, body, jobs) for _ in range(rounds)]


async def run_round(service: Service, large: Client, small: Client, body: bytes, jobs: int) -> Visit:
    """Run `jobs` small jobs alone, and then small jobs until the large one ends."""
    await service.sql("TRUNCATE contacts")
    await service.rest()
    alone = await _visits(small, jobs, until=None)
    await service.sql("TRUNCATE contacts")
    started = time.perf_counter()
    job = await large.submit("contacts.upsert", body)
    ending = asyncio.create_task(_seconds(large, job, started))
    beside = await _visits(small, 1_000_000, until=ending)
    rows = body.count(b"\n") + 1
    return Visit(alone=alone, beside=beside, rows=rows, rate=rows / await ending)


async def _seconds(client: Client, job: dict[str, Any], started: float) -> float:
    await client.ended(job)
    return time.perf_counter() - started


async def _visits(client: Client, jobs: int, *, until: "asyncio.Task[float] | None") -> list[float]:
    """Run small jobs one after the other with pauses, until a task ends. Return the seconds of each."""
    found = []
    async with client.connection() as connection:
        for number in range(jobs):
            found.append(await latency(connection, contact_rows(range(number * ITEMS, (number + 1) * ITEMS))))
            if until is not None and until.done():
                break
            await asyncio.sleep(PAUSE_SECONDS)
    return found
