"""`./run bench undo`: what before-images cost, against UNDO_DAYS=0.

Two services run beside each other: one keeps what jobs change, the other one does not. They do the same in
turns, another one first in each round, and a ratio is that of one round: it is stable when the machine
drifts. Processor time is that of api, workers and servers.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bench.lab.client import Client
from bench.lab.cost import Cost, Meter, cost_of
from bench.lab.options import Jobs, Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import Row, contact_rows, json_array, ndjson
from bench.lab.service import Service, running_service
from bench.traffic.jobs import ITEMS, all_ended, send_all

OFF, ON = "UNDO_DAYS=0", "UNDO_DAYS=7"
CONNECTIONS = 16
SIZE = "SELECT pg_total_relation_size('before_images')::float AS bytes"


@dataclass(frozen=True, kw_only=True)
class Side:
    """A service with or without before-images, and a client of it."""

    service: Service
    client: Client


Work = Callable[[Side, int], Awaitable[Cost]]  # of a round
Round = Mapping[str, Cost]  # by side


def measure(
    results: Results, *, rows: Rows = 200_000, jobs: Jobs = 1_000, rounds: Rounds = 6, workers: Workers = 2
) -> None:
    """Measure loads of new and changed rows, and small jobs that change rows, with and without images."""
    found, sizes = asyncio.run(_measure(rows, jobs, rounds, workers))
    for what, costs_of in found.items():
        for side in (OFF, ON):
            costs = [one[side] for one in costs_of]
            results.row(
                f"{what}, {side}",
                done_per_s=[cost.rate for cost in costs],
                rate_ratio=[one[side].rate / one[OFF].rate for one in costs_of],
                processor_ratio=[one[side].all_micros / one[OFF].all_micros for one in costs_of],
                **Cost.columns(costs),
            )
    for what, size in sizes.items():
        results.row(f"images of {what}", bytes_a_row=size)
    for target, what in (("images_new", "new rows"), ("images_changed", "changed rows, one field")):
        results.target(target, [one[OFF].all_micros / one[ON].all_micros for one in found[what]])


async def _measure(
    rows: int, jobs: int, rounds: int, workers: int
) -> tuple[dict[str, list[Round]], dict[str, float]]:
    """Return the costs of the rounds, and the bytes of images for a row, by what was done."""

    async def new(side: Side, number: int) -> Cost:
        await side.service.sql("TRUNCATE contacts")
        return await _load(side, contact_rows(range(rows)))

    async def name(side: Side, number: int) -> Cost:
        return await _load(side, contact_rows(range(rows), suffix=f" {number}"))

    async def three_fields(side: Side, number: int) -> Cost:
        changed = contact_rows(range(rows), suffix=f" of {number}")
        return await _load(side, [_with_others(row, number) for row in changed])

    async def small_jobs(side: Side, number: int) -> Cost:
        bodies = [
            json_array(contact_rows(range(at * ITEMS, (at + 1) * ITEMS), suffix=f" job {number}"))
            for at in range(min(jobs, rows // ITEMS))
        ]
        meter, begun = Meter(side.service), time.perf_counter()
        await send_all([side.client], bodies, CONNECTIONS)
        await all_ended(side.service)
        return meter.cost(len(bodies), time.perf_counter() - begun)

    found: dict[str, list[Round]] = {}
    sizes: dict[str, float] = {}
    async with _sides(workers, max_jobs=jobs) as sides:
        for what, work, size in (
            ("new rows", new, rows),
            ("changed rows, one field", name, rows),
            ("changed rows, three fields", three_fields, rows),
            ("small jobs that change rows", small_jobs, min(jobs, rows // ITEMS) * ITEMS),
        ):
            await sides[ON].service.sql("TRUNCATE before_images")
            found[what] = await _in_turns(sides, work, rounds)
            (row,) = await sides[ON].service.sql(SIZE)
            sizes[what] = row["bytes"] / size / rounds
    return found, sizes


def _with_others(row: Row, number: int) -> Row:
    phone, name, email, language, _ = row
    return phone, name, f"{number}{email}", language, f'{{"city": "San Francisco", "tier": "tier {number}"}}'


async def _load(side: Side, rows: list[Row]) -> Cost:
    body = ndjson(rows)
    return await cost_of(side.service, len(rows), side.client.run("contacts.upsert", body))


async def _in_turns(sides: Mapping[str, Side], work: Work, rounds: int) -> list[Round]:
    """Return the cost of each round for each side."""
    found: list[Round] = []
    for number in range(rounds):
        order = list(sides)[:: -1 if number % 2 else 1]
        costs = {}
        for what in order:
            await sides[what].service.sql("VACUUM contacts")
            await sides[what].service.rest()
            costs[what] = await work(sides[what], number)
        found.append(costs)
    return found


@asynccontextmanager
async def _sides(workers: int, *, max_jobs: int) -> AsyncIterator[Mapping[str, Side]]:
    async with AsyncExitStack() as stack:
        sides = {}
        for what in (OFF, ON):
            running = running_service(
                workers=workers,
                UNDO_DAYS=what.rpartition("=")[2],
                MAX_UNFINISHED_JOBS=str(max(max_jobs, 10)),
            )
            service = await stack.enter_async_context(running)
            sides[what] = Side(service=service, client=await service.client())
        yield sides
