"""`./run bench load`: compare the whole service with plain COPY + ON CONFLICT of the same rows.

The service gets the rows as one NDJSON upload; its time is from the first byte to the end of the job, with
validation and a result for every item. Both use the same PostgreSQL, in turns, so the ratio is stable when
absolute numbers drift with the machine. Both are warmed up with some thousand rows first.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bench.lab.client import Client
from bench.lab.cost import Cost, cost_of
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.plain import Plain
from bench.lab.results import Results
from bench.lab.rows import Row, contact_rows, ndjson
from bench.lab.service import Service, running_service

WARM_UP_ROWS = 20_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is loaded: the cases follow each other, so that one finds the rows of the one before."""

    what: str
    key: str  # of the target
    suffix: str  # of the names: the same one again means unchanged rows
    parallel: str = "4"
    against: str  # the key of the case whose plain rate is the reference


CASES = (
    Case(what="new", key="new", suffix="", against="new"),
    Case(what="changed", key="changed", suffix="!", against="changed"),
    Case(what="unchanged, against plain changed", key="unchanged", suffix="!", against="changed"),
    Case(what="changed, parallel=1", key="in_order", suffix="?", parallel="1", against="in_order"),
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One round of one case: both ways."""

    ours: Cost
    plain: Cost


Round = dict[str, Pair]  # by the key of the case


def measure(results: Results, *, rows: Rows = 200_000, rounds: Rounds = 3, workers: Workers = 2) -> None:
    """Measure rows per second of the whole service and of plain COPY + ON CONFLICT, and their ratio."""
    found = asyncio.run(_measure(rows, rounds, workers))
    for case in CASES:
        ours = [pairs[case.key].ours for pairs in found]
        plain = [pairs[case.against].plain for pairs in found]
        results.row(
            case.what,
            service_rows_per_s=[cost.rate for cost in ours],
            plain_rows_per_s=[cost.rate for cost in plain],
            ratio=[ratios(pairs)[case.key] for pairs in found],
            **Cost.columns(ours),
            plain_us=[cost.micros("postgres") + cost.micros("bench") for cost in plain],
        )
    results.targets_of([ratios(pairs) for pairs in found])


def ratios(pairs: Round) -> dict[str, float]:
    """Return the rates of the service against those of plain SQL, by target."""
    return {case.key: pairs[case.key].ours.rate / pairs[case.against].plain.rate for case in CASES}


async def _measure(size: int, rounds: int, workers: int) -> list[Round]:
    async with running_service(workers=workers) as service:
        client = await service.client()
        plain = await warmed_up(service, client)
        found = [await run_round(service, client, plain, size) for _ in range(rounds)]
        await plain.close()
    return found


async def warmed_up(service: Service, client: Client, size: int = WARM_UP_ROWS) -> Plain:
    """Load some rows in both ways. Return the connection of the plain one."""
    plain = await Plain.connect(service.database_url)
    await plain.empty()
    rows = contact_rows(range(size), suffix="~")
    await client.run("contacts.upsert", ndjson(rows))
    await plain.load(rows)
    return plain


async def run_round(service: Service, client: Client, plain: Plain, size: int) -> Round:
    """Run all cases once, from empty tables on."""
    await service.sql("TRUNCATE contacts")
    await plain.empty()
    return {case.key: await _pair(service, client, plain, case, size) for case in CASES}


async def _pair(service: Service, client: Client, plain: Plain, case: Case, size: int) -> Pair:
    rows = contact_rows(range(size), suffix=case.suffix)
    await service.rest()
    ours = await load_once(service, client, rows, parallel=case.parallel)
    await service.rest()
    return Pair(ours=ours, plain=await cost_of(service, size, plain.load(rows)))


async def load_once(service: Service, client: Client, rows: Sequence[Row], **params: str) -> Cost:
    """Load rows through the service, and return what it cost."""
    body = ndjson(rows)
    return await cost_of(service, len(rows), client.run("contacts.upsert", body, **params))
