"""`./run bench jobs`: jobs of 10 items from 16 connections of two accounts, accepted and ended a second.

The reference is COPY + ON CONFLICT of the same rows, a transaction a job, one after the other.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from bench.lab.client import Client
from bench.lab.cost import Cost, Meter
from bench.lab.options import Jobs, Rounds, Workers
from bench.lab.plain import Plain
from bench.lab.results import Results
from bench.lab.rows import json_array, small_jobs
from bench.lab.service import Service, running_service
from bench.traffic.latency import WARM_UP_JOBS, latencies

ACCOUNTS = 2
ITEMS = 10
UNENDED = "SELECT count(*) FROM jobs WHERE finished_at IS NULL"
SPAN = """
SELECT count(*) AS jobs, extract(epoch FROM max(finished_at) - min(received_at))::float AS seconds FROM jobs
WHERE received_at > to_timestamp($1::float)
"""
END_SECONDS = 900.0
CHECK_SECONDS = 0.1


def measure(
    results: Results,
    *,
    jobs: Jobs = 5_000,
    connections: Annotated[int, typer.Option(min=2, help="HTTP connections.")] = 16,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """Measure small jobs accepted and ended a second."""
    found = asyncio.run(_measure(jobs, connections, rounds, workers))
    ended = [cost.rate for _, cost, _ in found]
    results.row(
        f"{connections} connections, {ACCOUNTS} accounts",
        accepted_per_s=[accepted for accepted, _, _ in found],
        ended_per_s=ended,
        plain_per_s=[plain for _, _, plain in found],
        **Cost.columns([cost for _, cost, _ in found]),
    )
    results.target("jobs", ended)


async def _measure(jobs: int, connections: int, rounds: int, workers: int) -> list[tuple[float, Cost, float]]:
    async with running_service(workers=workers, MAX_UNFINISHED_JOBS=str(jobs)) as service:
        clients = await service.clients(ACCOUNTS)
        plain = await Plain.connect(service.database_url)
        for client in clients:
            await latencies(client, WARM_UP_JOBS, ITEMS)
        found = []
        for _ in range(rounds):
            await service.sql("TRUNCATE contacts")
            await plain.empty()
            await service.rest()
            accepted, cost = await run_round(service, clients, jobs, connections)
            seconds = sum([await plain.load(rows) for rows in small_jobs(jobs, ITEMS)])
            found.append((accepted, cost, jobs / seconds))
        await plain.close()
        return found


async def run_round(
    service: Service, clients: list[Client], jobs: int, connections: int
) -> tuple[float, Cost]:
    """Send small jobs. Return how many were accepted a second, and what they cost until all have ended."""
    bodies = [json_array(rows) for rows in small_jobs(jobs, ITEMS)]
    meter, at = Meter(service), time.time()
    accepted = await send_all(clients, bodies, connections)
    await all_ended(service)
    (span,) = await service.sql(SPAN, at)
    assert span["jobs"] == jobs, f"{span['jobs']} of {jobs} jobs have ended"
    return accepted, meter.cost(jobs, span["seconds"])


async def send_all(clients: list[Client], bodies: list[bytes], connections: int) -> float:
    """Submit each body once, over connections that clients share. Return the jobs accepted a second."""
    left = iter(bodies)
    started = time.perf_counter()
    await asyncio.gather(*(_send(clients[number % len(clients)], left) for number in range(connections)))
    return len(bodies) / (time.perf_counter() - started)


async def all_ended(service: Service) -> None:
    """Wait until every job has ended."""
    conn = await service.connect()
    async with asyncio.timeout(END_SECONDS):
        while await conn.fetchval(UNENDED):  # noqa: ASYNC110 - asked from outside; nothing tells it
            await asyncio.sleep(CHECK_SECONDS)
    await conn.close()


async def _send(client: Client, bodies: Iterator[bytes]) -> None:
    async with client.connection() as connection:
        for body in bodies:
            await connection.submit(body)
