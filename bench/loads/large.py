"""`./run bench large`: new rows into a table that holds millions of contacts already.

Both ways write to the table `contacts` and to the same account. The phones of the new rows lie between those
that exist, in a random order, so that neither finds its pages of the indexes in memory by luck.
"""

import asyncio
from random import Random
from typing import Annotated

import typer

from bench.lab.client import Client
from bench.lab.cost import Cost, cost_of
from bench.lab.crowd import fill, newcomers
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.plain import Plain
from bench.lab.results import Results
from bench.lab.rows import Row
from bench.lab.service import Service, running_service
from bench.loads.load import Pair, load_once


def measure(
    results: Results,
    *,
    contacts: Annotated[int, typer.Option(min=1000, help="Contacts that exist before.")] = 5_000_000,
    rows: Rows = 200_000,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """Measure new rows into a table of millions of contacts."""
    pairs = asyncio.run(_measure(contacts, rows, rounds, workers))
    ours, plain = [pair.ours for pair in pairs], [pair.plain for pair in pairs]
    ratios = [one.rate / other.rate for one, other in zip(ours, plain, strict=True)]
    results.row(
        f"new, into {contacts:,} contacts",
        service_rows_per_s=[cost.rate for cost in ours],
        plain_rows_per_s=[cost.rate for cost in plain],
        ratio=ratios,
        **Cost.columns(ours),
        plain_us=[cost.micros("postgres") + cost.micros("bench") for cost in plain],
    )
    results.target("large", ratios)


async def _measure(contacts: int, size: int, rounds: int, workers: int) -> list[Pair]:
    async with running_service(workers=workers) as service:
        client = await service.client()
        await fill(service, client.account_id, contacts)
        plain = await Plain.connect(service.database_url, "contacts", client.account_id)
        shuffled = [_shuffled(newcomers(contacts, size * rounds, shift=shift)) for shift in (1, 2)]
        pairs = []
        for number in range(rounds):
            ours, others = (rows[number * size : (number + 1) * size] for rows in shuffled)
            pairs.append(await _pair(service, client, plain, ours, others))
        await plain.close()
        return pairs


async def _pair(service: Service, client: Client, plain: Plain, ours: list[Row], others: list[Row]) -> Pair:
    await service.rest()
    cost = await load_once(service, client, ours)
    await service.rest()
    return Pair(ours=cost, plain=await cost_of(service, len(others), plain.load(others)))


def _shuffled(rows: list[Row]) -> list[Row]:
    Random(1).shuffle(rows)
    return rows
