"""`./run bench operations`: the other operations and the dry run, beside the rate of new rows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.lab.client import Client
from bench.lab.cost import Cost, cost_of
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson, references
from bench.lab.service import Service, running_service

WARM_UP_ROWS = 10_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """An operation to measure, with all fields of contacts or with phones only.

    The cases follow each other, so that one finds the contacts of the one before.
    """

    what: str
    operation: str
    fields: bool = False
    params: dict[str, str] = field(default_factory=dict)
    target: str | None = None


NEW = Case(what="new", operation="contacts.upsert", fields=True)
ALL_FIELDS = Case(what="lists.add, all fields", operation="lists.add", fields=True)
CASES = (
    Case(
        what="dry run",
        operation="contacts.upsert",
        fields=True,
        params={"dry_run": "true"},
        target="dry_run",
    ),
    NEW,
    Case(what="lists.add", operation="lists.add", target="lists.add"),
    ALL_FIELDS,
    Case(
        what="preferences.set",
        operation="preferences.set",
        params={"preference": "mute_all"},
        target="preferences.set",
    ),
    Case(what="contacts.delete", operation="contacts.delete", target="contacts.delete"),
)

Round = dict[str, Cost]  # by `what` of the case


def measure(results: Results, *, rows: Rows = 200_000, rounds: Rounds = 3, workers: Workers = 2) -> None:
    """Measure the other operations and the dry run beside new rows."""
    found = asyncio.run(_measure(rows, rounds, workers))
    for case in CASES:
        costs = [one[case.what] for one in found]
        against = [one[case.what].rate / one[NEW.what].rate for one in found]
        results.row(
            case.what,
            rows_per_s=[cost.rate for cost in costs],
            against_new=against,
            **Cost.columns(costs),
        )
    results.targets_of([ratios(one) for one in found])


def ratios(costs: Round) -> dict[str, float]:
    """Return the rates against the rate of new rows, by target."""
    return {
        case.target: costs[case.what].rate / costs[NEW.what].rate
        for case in CASES
        if case.target and case.what in costs
    }


async def _measure(size: int, rounds: int, workers: int) -> list[Round]:
    async with running_service(workers=workers) as service:
        client = await service.client()
        await client.run("contacts.upsert", ndjson(contact_rows(range(WARM_UP_ROWS))))
        return [await run_round(service, client, f"list {number}", size) for number in range(rounds)]


async def run_round(
    service: Service, client: Client, name: str, size: int, cases: Sequence[Case] = CASES
) -> Round:
    """Run cases once, from an empty table on. `name` is for the lists."""
    await service.sql("TRUNCATE contacts, memberships")
    costs: Round = {}
    rows = contact_rows(range(size))
    bodies = {True: ndjson(rows), False: references(rows)}
    for case in cases:
        params = dict(case.params)
        if case.operation == "lists.add":
            params["list_id"] = await _list(client, f"{name}, {case.what}")
        await service.rest()
        work = client.run(case.operation, bodies[case.fields], **params)
        costs[case.what] = await cost_of(service, size, work)
    return costs


async def _list(client: Client, name: str) -> str:
    headers = {"Content-Type": "application/json"}
    body = f'{{"name": "{name}"}}'
    answer = await client.call("POST", "/v1/contact-lists", body, headers, status=201)
    return str(answer["id"])
