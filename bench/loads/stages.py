"""`./run bench stages`: where the processor time of a new row goes.

The time of PostgreSQL is divided by the shares that pg_stat_statements shows, the time of a worker by a run
of the same functions in this process. The kernel says how much time each process took in all.
"""

import asyncio
import re
import time
from collections import Counter
from itertools import pairwise
from uuid import UUID

from bench.lab import statements
from bench.lab.cost import SERVICE, Cost
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import COLUMNS, Row, contact_rows, ndjson
from bench.lab.service import running_service
from bench.lab.statements import CLAIM
from bench.loads.load import WARM_UP_ROWS, load_once
from schemas.ids import AccountId, JobId
from schemas.items.reader import Run
from schemas.operations import OPERATIONS, JobParams, Operation
from storage.entities.upsert import Written
from storage.pipeline.chunks import Claim, Members
from storage.pipeline.results import Done, texts_of
from worker.bells.arq_app import calm_garbage_collection
from worker.operations.resolve import merge_by_phone
from worker.operations.upsert_rows import columns_of, results_of
from worker.prepare import prepare

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
    parts = [_worker_parts(contact_rows(range(rows))) for _ in range(rounds)]
    worker = [cost.micros("worker") for cost in costs]
    results.row("upload: the api", us_per_row=[cost.micros("api") for cost in costs])
    for stage in ("store", "split", "claim"):
        results.row(f"{stage}: PostgreSQL", us_per_row=_times(costs, shares, stage))
    for part in parts[0]:
        results.row(f"{part}: the worker", us_per_row=[times[part] for times in parts])
    rest = [whole - sum(times.values()) for whole, times in zip(worker, parts, strict=True)]
    results.row("the rest: the worker", us_per_row=rest)
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


def _worker_parts(rows: list[Row]) -> dict[str, float]:
    """Return the processor time of the functions of a worker in microseconds a row."""
    reader = OPERATIONS[Operation.CONTACTS_UPSERT].items.reader
    spent = Counter[str]()
    prepare(_claim(0, rows[:CHUNK]))  # builds the expressions for phones
    calm_garbage_collection()  # as a worker does
    for at in range(0, len(rows), CHUNK):
        claim = _claim(at, rows[at : at + CHUNK])
        clock = [time.process_time()]
        Run(reader, claim.format, None, claim.body).read(0, claim.items)
        clock.append(time.process_time())
        batch = prepare(claim)  # reads the items, too
        clock.append(time.process_time())
        targets = merge_by_phone(batch.items)
        columns_of(targets.items, set(COLUMNS))
        clock.append(time.process_time())
        ids = dict(zip(targets.phones, targets.indexes, strict=True))
        texts_of(Done(claim, results_of(targets, Written(ids, set(ids)), set(), {}), [], Members()))
        clock.append(time.process_time())
        read, both, columns, results = (end - start for start, end in pairwise(clock))
        spent.update({"read": read, "check": both - read, "columns": columns, "results": results})
    return {part: seconds / len(rows) * 1e6 for part, seconds in spent.items()}


def _claim(first_index: int, rows: list[Row]) -> Claim:
    return Claim(
        account_id=AccountId(1),
        job_id=JobId(UUID(int=1)),
        first_index=first_index,
        items=len(rows),
        skip=0,
        token=1,
        deaths=0,
        operation=Operation.CONTACTS_UPSERT,
        params=JobParams(),
        format="ndjson",
        layout=None,
        body=ndjson(rows) + b"\n",
    )
