"""`./run bench queue`: many queued small jobs of many accounts; how fast two workers drain them.

The jobs are accepted while no worker runs, and wait until all workers have started. The time is from the
first start of a job to the last end, by the clock of PostgreSQL. One row is for accounts without limits, one
for accounts with the default item limit.
"""

import asyncio
import time
from typing import Annotated

import typer

from bench.lab.client import Client
from bench.lab.cost import Cost, Meter
from bench.lab.options import Jobs, Rounds, Workers
from bench.lab.results import Results
from bench.lab.rows import json_array, small_jobs
from bench.lab.service import NO_LIMITS, Service, running_service
from bench.traffic.jobs import ITEMS, all_ended
from storage.entities.accounts import AccountChange

CONNECTIONS = 8
START_SECONDS = 4.0  # for the workers, so that their start does not count
SPAN = """
SELECT count(*) AS jobs, extract(epoch FROM max(finished_at) - min(started_at))::float AS seconds FROM jobs
WHERE received_at > to_timestamp($1::float)
"""
CASES = {"no limits": NO_LIMITS, "the default item limit": AccountChange(request_limit=0)}


def measure(
    results: Results,
    *,
    jobs: Jobs = 10_000,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts; they share the jobs.")] = 1_000,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """Measure how fast queued small jobs of many accounts are drained."""
    for what, change in CASES.items():
        costs = asyncio.run(_measure(change, jobs, accounts, rounds, workers))
        results.row(
            f"{jobs:,} jobs, {accounts:,} accounts, {what}",
            drained_per_s=[cost.rate for cost in costs],
            **Cost.columns(costs, ("postgres", "worker", "valkey")),
        )
        if change is NO_LIMITS:
            results.target("queue", [cost.rate for cost in costs])


async def _measure(change: AccountChange, jobs: int, accounts: int, rounds: int, workers: int) -> list[Cost]:
    async with running_service(workers=0) as service:
        clients = await service.clients(accounts, change)
        return [await _round(service, clients, jobs // accounts, workers) for _ in range(rounds)]


async def _round(service: Service, clients: list[Client], jobs: int, workers: int) -> Cost:
    await service.sql("TRUNCATE contacts")
    at = time.time()
    await fill_queue(clients, [json_array(rows) for rows in small_jobs(jobs, ITEMS)])
    await service.rest()
    async with service.claims_nothing():
        await service.scale(workers)
        await asyncio.sleep(START_SECONDS)
        meter = Meter(service)
    await all_ended(service)
    (span,) = await service.sql(SPAN, at)
    cost = meter.cost(span["jobs"], span["seconds"])
    await service.scale(0)
    return cost


async def fill_queue(clients: list[Client], bodies: list[bytes]) -> None:
    """Submit a job of each body in each account."""
    left = iter(clients)

    async def send() -> None:
        for client in left:
            async with client.connection() as connection:
                for body in bodies:
                    await connection.submit(body)

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
