"""`./run bench duplicates`: a file with each contact twice, beside a file of as many different contacts.

The second half of the file repeats the first, so the items of a contact are far apart, and `finish` must
settle them. A smaller file and a very large one show whether the time of an item and the memory of a worker
grow with the file.
"""

import asyncio
import statistics
from dataclasses import dataclass
from typing import Annotated

import typer

from bench.lab.client import Client
from bench.lab.cost import Cost, cost_of
from bench.lab.machine import peak_bytes
from bench.lab.options import Rounds, Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson
from bench.lab.service import Service, running_service

WARM_UP_ROWS = 10_000
SMALLER = 4
STEP = 10_000


@dataclass(frozen=True, kw_only=True)
class Twice:
    """The costs of one round."""

    twice: Cost
    quarter: Cost
    different: Cost


def measure(
    results: Results,
    *,
    contacts: Annotated[int, typer.Option(min=1000, help="Contacts; each is in the file twice.")] = 200_000,
    rounds: Rounds = 3,
    large: Annotated[int, typer.Option(min=1000, help="Contacts of the very large file.")] = 800_000,
    workers: Workers = 2,
) -> None:
    """Measure a file that contains each contact twice."""
    found, largest, peaks = asyncio.run(_measure(contacts, rounds, large, workers))
    twice, different = [one.twice for one in found], [one.different for one in found]
    quarter = [one.quarter for one in found]
    for what, costs in (
        (f"{different[0].count:,} items, all different", different),
        (f"{twice[0].count:,} items, each contact twice", twice),
        (f"{quarter[0].count:,} items, each contact twice", quarter),
        (f"{largest.count:,} items, each contact twice", [largest]),
    ):
        results.row(
            what,
            items_per_s=[cost.rate for cost in costs],
            seconds=[cost.seconds for cost in costs],
            **Cost.columns(costs),
        )
    results.row("twice against different", ratio=[ratios(one)["duplicates"] for one in found])
    results.row(
        "time an item, against a quarter of the items", ratio=[ratios(one)["growth"] for one in found]
    )
    growth = largest.all_micros / statistics.median([cost.all_micros for cost in twice])
    results.row("processor time an item of the very large file, against the file before", ratio=growth)
    for items, peak in peaks.items():
        results.row(f"peak memory of a worker after {items:,} items", MB=peak / 1e6)
    results.targets_of([ratios(one) for one in found])
    results.target("growth_large", growth)
    results.target("memory_settle", peaks[largest.count] / peaks[twice[0].count])


def ratios(one: Twice) -> dict[str, float]:
    """Return the rate of repeated contacts against that of others, and the growth, by target."""
    return {
        "duplicates": one.twice.rate / one.different.rate,
        "growth": one.quarter.rate / one.twice.rate,
    }


async def _measure(
    contacts: int, rounds: int, large: int, workers: int
) -> tuple[list[Twice], Cost, dict[int, int]]:
    """Return the rounds, the cost of the very large file, and the peak memory by the items of a file."""
    async with running_service(workers=workers) as service:
        client = await service.client()
        await client.run("contacts.upsert", ndjson(contact_rows(range(WARM_UP_ROWS))))
        found = [await run_round(service, client, contacts) for _ in range(rounds)]
        peaks = {found[0].twice.count: _peak(service)}
        largest = await _run(service, client, _twice(large))
        return found, largest, peaks | {largest.count: _peak(service)}


def _peak(service: Service) -> int:
    return max(peak_bytes(worker.pid) for worker in service.workers if worker.pid)


async def run_round(service: Service, client: Client, contacts: int) -> Twice:
    """Load the three files, each into an empty table."""
    return Twice(
        different=await _run(service, client, ndjson(contact_rows(range(2 * contacts)))),
        quarter=await _run(service, client, _twice(contacts // SMALLER)),
        twice=await _run(service, client, _twice(contacts)),
    )


def _twice(contacts: int) -> bytes:
    """Return the file. Its rows are made in steps, because they need several times the memory of the file."""
    steps = range(0, contacts, STEP)
    body = b"\n".join(ndjson(contact_rows(range(at, min(contacts, at + STEP)))) for at in steps)
    return body + b"\n" + body


async def _run(service: Service, client: Client, body: bytes) -> Cost:
    await service.sql("TRUNCATE contacts")
    await service.rest()
    return await cost_of(service, body.count(b"\n") + 1, client.run("contacts.upsert", body))
