"""`./run bench stages`: where the processor time of a new row goes.

The time of PostgreSQL is divided by the shares that pg_stat_statements shows, the time of a worker by a run
of the same validation in this process. The kernel says how much time each process took in all.
"""

import asyncio
import re
import time

from bench.lab import statements
from bench.lab.cost import SERVICE, Cost
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import Row, contact_rows, ndjson
from bench.lab.service import running_service
from bench.lab.statements import CLAIM
from bench.loads.load import WARM_UP_ROWS, load_once
from schemas.items.reader import Run
from schemas.operations import OPERATIONS, Operation

CHUNK = 1_000
STAGES = {
    "claim": CLAIM,
    "COPY": re.compile(r"^COPY "),
    "upsert": re.compile(r"INSERT INTO contacts\b"),
    "record": re.compile(r"INSERT INTO outcomes\b"),
    "store": re.compile(r"INSERT INTO parts\b"),
    "split": re.compile(r"INSERT INTO chunks\b|split_parts"),
    "the rest": re.compile(""),
}


def measure(results: Results, *, rows: Rows = 200_000, rounds: Rounds = 3, workers: Workers = 2) -> None:
    """Measure where the processor time of a new row goes."""
    costs, shares = asyncio.run(_measure(rows, rounds, workers))
    prepare = [_prepare(contact_rows(range(rows))) for _ in range(rounds)]
    worker = [cost.micros("worker") for cost in costs]
    results.row("upload: the api", us_per_row=[cost.micros("api") for cost in costs])
    for stage in ("store", "split", "claim"):
        results.row(f"{stage}: PostgreSQL", us_per_row=_times(costs, shares, stage))
    results.row("prepare: the worker", us_per_row=prepare)
    results.row(
        "the rest: the worker",
        us_per_row=[whole - part for whole, part in zip(worker, prepare, strict=True)],
    )
    for stage in ("COPY", "upsert", "record", "the rest"):
        results.row(f"{stage}: PostgreSQL", us_per_row=_times(costs, shares, stage))
    results.row("Valkey", us_per_row=[cost.micros("valkey") for cost in costs])
    results.row("all", us_per_row=[sum(cost.micros(role) for role in SERVICE) for cost in costs])


def _times(costs: list[Cost], shares: list[dict[str, float]], stage: str) -> list[float]:
    return [cost.micros("postgres") * share[stage] for cost, share in zip(costs, shares, strict=True)]


async def _measure(size: int, rounds: int, workers: int) -> tuple[list[Cost], list[dict[str, float]]]:
    costs, shares = [], []
    async with running_service(workers=workers, statements=True) as service:
        client = await service.client()
        await client.run("contacts.upsert", ndjson(contact_rows(range(WARM_UP_ROWS))))
        rows = contact_rows(range(size))
        for _ in range(rounds):
            await service.sql("TRUNCATE contacts")
            await service.rest()
            await statements.start(service)
            costs.append(await load_once(service, client, rows))
            times = statements.by_stage(await statements.read(service), STAGES)
            whole = sum(times.values())
            shares.append({stage: milliseconds / whole for stage, milliseconds in times.items()})
    return costs, shares


def _prepare(rows: list[Row]) -> float:
    """Return the processor time of the validation of one row in microseconds."""
    reader = OPERATIONS[Operation.CONTACTS_UPSERT].items.reader
    bodies = [ndjson(rows[at : at + CHUNK]) + b"\n" for at in range(0, len(rows), CHUNK)]
    started = time.process_time()
    for body in bodies:
        for _ in Run(reader, "ndjson", None, body).read(0, CHUNK):
            pass
    return (time.process_time() - started) / len(rows) * 1e6
