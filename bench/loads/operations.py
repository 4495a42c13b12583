"""`./run bench operations`: the other operations and the dry run, beside the rate of new rows."""

import asyncio
from collections.abc import Sequence

from bench.lab.client import Client
from bench.lab.cost import Cost, cost_of
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson, references
from bench.lab.service import Service, running_service

WARM_UP_ROWS = 10_000
CASES = ("dry_run", "new", "lists.add", "lists.add, all fields", "preferences.set", "contacts.delete")

Round = dict[str, Cost]  # by case


def measure(results: Results, *, rows: Rows = 200_000, rounds: Rounds = 3, workers: Workers = 2) -> None:
    """Measure the other operations and the dry run beside new rows."""
    report(results, asyncio.run(_measure(rows, rounds, workers)))


def report(results: Results, rounds: Sequence[Round]) -> None:
    """Add the rows and the targets."""
    for case in CASES:
        costs = [one[case] for one in rounds]
        ratios = [one[case].rate / one["new"].rate for one in rounds]
        results.row(
            case.replace("_", " "),
            rows_per_s=[cost.rate for cost in costs],
            against_new=ratios,
            **Cost.columns(costs),
        )
        if case in {"dry_run", "lists.add", "preferences.set", "contacts.delete"}:
            results.target(case, results.median(ratios))


async def _measure(size: int, rounds: int, workers: int) -> list[Round]:
    async with running_service(workers=workers) as service:
        client = await service.client()
        await client.run("contacts.upsert", ndjson(contact_rows(range(WARM_UP_ROWS))))
        return [await run_round(service, client, f"list {number}", size) for number in range(rounds)]


async def run_round(service: Service, client: Client, name: str, size: int) -> Round:
    """Run all cases once, from an empty table on. `name` is for the lists."""
    await service.sql("TRUNCATE contacts, memberships")
    costs: Round = {}
    rows = contact_rows(range(size))
    bodies, phones = ndjson(rows), references(rows)
    lists = [await _list(client, f"{name}{suffix}") for suffix in ("a", "b")]

    async def run(case: str, operation: str, body: bytes, **params: str) -> None:
        await service.rest()
        costs[case] = await cost_of(service, size, client.run(operation, body, **params))

    await run("dry_run", "contacts.upsert", bodies, dry_run="true")
    await run("new", "contacts.upsert", bodies)
    await run("lists.add", "lists.add", phones, list_id=lists[0])
    await run("lists.add, all fields", "lists.add", bodies, list_id=lists[1])
    await run("preferences.set", "preferences.set", phones, preference="mute_all")
    await run("contacts.delete", "contacts.delete", phones)
    return costs


async def _list(client: Client, name: str) -> str:
    headers = {"Content-Type": "application/json"}
    body = f'{{"name": "{name}"}}'
    answer = await client.call("POST", "/v1/contact-lists", body, headers, status=201)
    return str(answer["id"])
