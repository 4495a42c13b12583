"""`./run bench scale`: 1, 2, 4 and 8 workers far away from PostgreSQL: each round trip takes 5 ms longer.

Where the database is far away, a worker mostly waits, so more workers apply more, until processors are the
limit. So the jobs are small: on two cores, large ones would use up the processors with few workers. A worker
serves one bell at a time here. The jobs are accepted while no worker runs; the time is from the first start
to the last end.
"""

import asyncio
import time
from typing import Annotated
from urllib.parse import quote

import typer

from bench.lab.client import Client
from bench.lab.cost import Cost
from bench.lab.options import Rounds
from bench.lab.relay import HOST, Relay, enter_slow_network
from bench.lab.results import Results
from bench.lab.rows import json_array, small_jobs
from bench.lab.service import Service, running_service
from bench.traffic.jobs import all_ended
from bench.traffic.queue import SPAN, fill_queue

ROUND_TRIP_SECONDS = 0.005
WORKERS = (1, 2, 4, 8)


def measure(
    results: Results,
    *,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts; each has as many jobs.")] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs of an account.")] = 8,
    items: Annotated[int, typer.Option(min=1, help="Items of a job.")] = 100,
    rounds: Rounds = 3,
    delay: Annotated[
        str, typer.Option(help="What delays: netem, relay, or auto (netem if possible).")
    ] = "auto",
) -> None:
    """Measure 1 to 8 workers with 5 ms more for each round trip to PostgreSQL."""
    one_way = ROUND_TRIP_SECONDS / 2
    by_kernel = delay != "relay" and enter_slow_network(one_way)
    if delay == "netem" and not by_kernel:
        raise SystemExit("tc netem needs root, and the programs unshare, ip and tc: use --delay relay")
    results.options["delayed by"] = "tc netem" if by_kernel else "a relay"
    costs = asyncio.run(_measure(accounts, jobs, items, rounds, 0 if by_kernel else one_way))
    alone = results.median([cost.rate for cost in costs[1]])
    for workers, found in costs.items():
        linear = [cost.rate / (alone * workers) for cost in found]
        processors = [sum(cost.cpu.values()) / cost.seconds for cost in found]
        results.row(
            f"{workers} workers",
            jobs_per_s=[cost.rate for cost in found],
            against_linear=linear,
            cores_in_use=processors,
        )
        if workers == WORKERS[-1]:
            results.target("scale", results.median(linear))


async def _measure(accounts: int, jobs: int, items: int, rounds: int, delay: float) -> dict[int, list[Cost]]:
    costs: dict[int, list[Cost]] = {workers: [] for workers in WORKERS}
    async with running_service(workers=0, WORKER_TURNS="1") as service:
        relay = Relay(service.postgres.home.sockets / ".s.PGSQL.5432", delay)
        port = await relay.start()
        clients = [await service.client() for _ in range(accounts)]
        for _ in range(rounds):
            for workers in WORKERS:
                costs[workers].append(await _drain(service, clients, workers, port, jobs, items))
        await service.scale(0)
        await relay.stop()
    return costs


async def _drain(
    service: Service, clients: list[Client], workers: int, port: int, jobs: int, items: int
) -> Cost:
    await service.sql("TRUNCATE contacts")
    at = time.time()
    await fill_queue(clients, [json_array(rows) for rows in small_jobs(jobs, items)])
    await service.rest()
    before = service.cpu()
    await service.scale(workers, database_url=_url(service, port))
    await all_ended(service)
    after = service.cpu()
    await service.scale(0)
    (span,) = await service.sql(SPAN, at)
    cpu = {role: after[role] - before[role] for role in after}
    return Cost(count=span["jobs"], seconds=span["seconds"], cpu=cpu)


def _url(service: Service, port: int) -> str:
    """Return the URL of PostgreSQL through the relay."""
    sockets = quote(str(service.home.sockets), safe="")
    return service.database_url.replace(f"host={sockets}&port=5432", f"host={HOST}&port={port}")
