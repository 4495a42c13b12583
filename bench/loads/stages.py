"""`./run bench stages`: where the processor time of a new row goes, and that of a small job.

The time of PostgreSQL is divided by the shares that pg_stat_statements shows, the time of a worker by a run
of the same functions in this process. The kernel says how much time each process took in all.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from bench.lab import statements
from bench.lab.client import Client
from bench.lab.cost import Cost, Meter
from bench.lab.options import Jobs, Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import COLUMNS, Row, contact_rows, ndjson
from bench.lab.service import STATEMENTS, Service, running_service
from bench.lab.statements import CLAIM
from bench.loads.load import WARM_UP_ROWS, load_once
from bench.traffic.latency import WARM_UP_JOBS, latencies
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
ITEMS = 10
STAGES_OF_A_JOB = {
    "the key and its limits": re.compile(r"api_keys|sum\(pending\)"),
    "accept": re.compile(r"INSERT INTO jobs\b"),
    "claim": CLAIM,
    "COPY": re.compile(r"^COPY "),
    "upsert": re.compile(r"INSERT INTO contacts\b"),
    "record and end": re.compile(r"INSERT INTO outcomes\b|end_small_jobs|UPDATE chunks\b"),
    "answer": re.compile(r"FROM job_views\b"),
    "the rest": re.compile(""),
}


def measure(
    results: Results, *, rows: Rows = 200_000, jobs: Jobs = 300, rounds: Rounds = 3, workers: Workers = 2
) -> None:
    """Measure where the processor time of a new row goes, and that of a small job."""
    found = asyncio.run(_measure(rows, jobs, rounds, workers))
    _report_rows(results, rows, [one.load for one in found])
    _report_jobs(results, [one.jobs for one in found])


def _report_rows(results: Results, rows: int, loads: Sequence["Spent"]) -> None:
    costs = [load.cost for load in loads]
    parts = [_worker_parts(contact_rows(range(rows))) for _ in loads]
    worker = [cost.micros("worker") for cost in costs]
    results.row("upload: the api", us_per_row=[cost.micros("api") for cost in costs])
    for stage in ("store", "split", "claim"):
        results.row(f"{stage}: PostgreSQL", us_per_row=[load.postgres(stage) for load in loads])
    for part in parts[0]:
        results.row(f"{part}: the worker", us_per_row=[times[part] for times in parts])
    rest = [whole - sum(times.values()) for whole, times in zip(worker, parts, strict=True)]
    results.row("the rest: the worker", us_per_row=rest)
    for stage in ("COPY", "upsert", "record", "the rest"):
        results.row(f"{stage}: PostgreSQL", us_per_row=[load.postgres(stage) for load in loads])
    results.row("Valkey", us_per_row=[cost.micros("valkey") for cost in costs])
    results.row("all", us_per_row=[cost.all_micros for cost in costs])


def _report_jobs(results: Results, found: Sequence["Spent"]) -> None:
    costs = [jobs.cost for jobs in found]
    for role in ("api", "worker"):
        results.row(f"small job: the {role}", us_per_job=[cost.micros(role) for cost in costs])
    for stage in STAGES_OF_A_JOB:
        results.row(f"small job: {stage}: PostgreSQL", us_per_job=[jobs.postgres(stage) for jobs in found])
    results.row("small job: Valkey", us_per_job=[cost.micros("valkey") for cost in costs])
    results.row("small job: all", us_per_job=[cost.all_micros for cost in costs])


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What rows or jobs cost, and the shares of PostgreSQL's time by stage."""

    cost: Cost
    shares: Mapping[str, float]

    def postgres(self, stage: str) -> float:
        """Return the processor time of PostgreSQL in a stage, in microseconds a row or job."""
        return self.cost.micros("postgres") * self.shares[stage]


@dataclass(frozen=True, kw_only=True)
class Round:
    """A load of new rows, and small jobs one after the other."""

    load: Spent
    jobs: Spent


async def _measure(size: int, jobs: int, rounds: int, workers: int) -> list[Round]:
    async with running_service(workers=workers, postgres=STATEMENTS) as service:
        client = await service.client()
        await client.run("contacts.upsert", ndjson(contact_rows(range(WARM_UP_ROWS))))
        await latencies(client, WARM_UP_JOBS, ITEMS)
        rows = contact_rows(range(size))
        return [
            Round(
                load=await _spent(service, STAGES, load_once(service, client, rows)),
                jobs=await _spent(service, STAGES_OF_A_JOB, _jobs(service, client, jobs)),
            )
            for _ in range(rounds)
        ]


async def _spent(service: Service, stages: Mapping[str, "re.Pattern[str]"], work: Awaitable[Cost]) -> Spent:
    await service.sql("TRUNCATE contacts")
    await service.rest()
    await statements.start(service)
    cost = await work
    return Spent(cost=cost, shares=statements.shares(await statements.read(service), stages))


async def _jobs(service: Service, client: Client, jobs: int) -> Cost:
    meter = Meter(service)
    return meter.cost(jobs, sum(await latencies(client, jobs, ITEMS)))


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
