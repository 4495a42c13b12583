"""`./run bench undo`: what before-images cost, against UNDO_DAYS=0.

Two services run beside each other: one keeps what jobs change, the other one does not. They are started again
for each round, because a process can be some per cent slower than another one as long as it lives. Processor
time is that of api, workers and servers.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bench.lab.cost import Cost, Meter, cost_of
from bench.lab.options import Jobs, Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import Row, contact_rows, json_array, ndjson
from bench.lab.service import NO_AUTOVACUUM, running_service
from bench.lab.sides import Compared, Side, compare
from bench.loads.load import WARM_UP_ROWS
from bench.traffic.jobs import ITEMS, all_ended, send_all

OFF, ON = "UNDO_DAYS=0", "UNDO_DAYS=7"
CONNECTIONS = 16
WARM_UP_JOBS = 200
SIZE = "SELECT pg_total_relation_size('before_images')::float AS bytes"


def measure(
    results: Results, *, rows: Rows = 200_000, jobs: Jobs = 1_000, rounds: Rounds = 6, workers: Workers = 2
) -> None:
    """Measure loads of new and changed rows, and small jobs that change rows, with and without images."""
    found, sizes = asyncio.run(_measure(rows, jobs, rounds, workers))
    for what, compared in found.items():
        compared.report(results, what)
    for what, size in sizes.items():
        results.row(f"images of {what}", bytes_a_row=size)
    for target, what in (("images_new", "new rows"), ("images_changed", "changed rows, one field")):
        results.target(target, [1 / ratio for ratio in found[what].processor_ratios(ON)])


async def _measure(
    rows: int, jobs: int, rounds: int, workers: int
) -> tuple[dict[str, Compared], dict[str, list[float]]]:
    """Return the costs, and the bytes of images for a row, by what was done."""

    async def new(side: Side, number: int) -> Cost:
        await side.service.sql("TRUNCATE contacts")
        return await _load(side, contact_rows(range(rows)))

    async def name(side: Side, number: int) -> Cost:
        return await _load(side, contact_rows(range(rows), suffix=f" {number}"))

    async def three_fields(side: Side, number: int) -> Cost:
        changed = contact_rows(range(rows), suffix=f" of {number}")
        return await _load(side, [_with_others(row, number) for row in changed])

    async def small_jobs(side: Side, number: int) -> Cost:
        return await _small_jobs(side, min(jobs, rows // ITEMS), f" job {number}")

    kinds = (
        ("new rows", new, rows),
        ("changed rows, one field", name, rows),
        ("changed rows, three fields", three_fields, rows),
        ("small jobs that change rows", small_jobs, min(jobs, rows // ITEMS) * ITEMS),
    )
    found: dict[str, list[Compared]] = {what: [] for what, _, _ in kinds}
    sizes: dict[str, list[float]] = {what: [] for what, _, _ in kinds}
    for number in range(rounds):
        async with _sides(workers, max_jobs=jobs) as sides:
            keeps = next(side.service for side in sides if side.what == ON)
            for what, work, size in kinds:
                await keeps.sql("TRUNCATE before_images")
                found[what].append(await compare(sides, work, number, ready=_ready))
                (row,) = await keeps.sql(SIZE)
                sizes[what].append(row["bytes"] / size / 2)  # in turns, and at once
    return {what: Compared.of(parts) for what, parts in found.items()}, sizes


def _with_others(row: Row, number: int) -> Row:
    phone, name, email, language, _ = row
    return phone, name, f"{number}{email}", language, f'{{"city": "San Francisco", "tier": "tier {number}"}}'


async def _load(side: Side, rows: list[Row]) -> Cost:
    body = ndjson(rows)
    return await cost_of(side.service, len(rows), side.client.run("contacts.upsert", body))


async def _small_jobs(side: Side, count: int, suffix: str) -> Cost:
    bodies = [
        json_array(contact_rows(range(at * ITEMS, (at + 1) * ITEMS), suffix=suffix)) for at in range(count)
    ]
    meter, begun = Meter(side.service), time.perf_counter()
    await send_all([side.client], bodies, CONNECTIONS)
    await all_ended(side.service)
    return meter.cost(len(bodies), time.perf_counter() - begun)


async def _ready(side: Side) -> None:
    await side.service.sql("VACUUM ANALYZE contacts")
    await side.service.rest()


@asynccontextmanager
async def _sides(workers: int, *, max_jobs: int) -> AsyncIterator[list[Side]]:
    async with AsyncExitStack() as stack:
        sides = []
        for what in (OFF, ON):
            running = running_service(
                workers=workers,
                postgres=NO_AUTOVACUUM,
                UNDO_DAYS=what.rpartition("=")[2],
                MAX_UNFINISHED_JOBS=str(max(max_jobs, WARM_UP_JOBS)),
            )
            service = await stack.enter_async_context(running)
            sides.append(Side(what=what, service=service, client=await service.client()))
            await _warm_up(sides[-1])
        yield sides


async def _warm_up(side: Side) -> None:
    """Have all sessions of PostgreSQL plan what they will do: a load and small jobs, both with changes."""
    for suffix in ("~", "~~"):
        await _load(side, contact_rows(range(WARM_UP_ROWS), suffix=suffix))
        await _small_jobs(side, WARM_UP_JOBS, f"{suffix} job")
