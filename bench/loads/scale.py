"""`./run bench scale`: 1, 2, 4 and 8 workers far away from PostgreSQL: each round trip takes 5 ms longer.

Where the database is far away, a worker mostly waits, so more workers apply more, until processors are the
limit. So each job overwrites a list with one contact: it has a closing step, so it is applied alone, and
costs many round trips and little else. A worker serves one bell at a time here. Jobs are queued while no
worker runs; the rate is that of some seconds after all workers have started.
"""

import asyncio
import statistics
import time
from typing import Annotated
from urllib.parse import quote

import typer

from bench.lab.client import Client
from bench.lab.cost import SERVICE, Cost, Meter
from bench.lab.options import Rounds
from bench.lab.relay import HOST, Relay, enter_slow_network
from bench.lab.results import Results
from bench.lab.rows import phone_of
from bench.lab.service import Service, running_service

ROUND_TRIP_SECONDS = 0.005
COUNTS = (1, 2, 4, 8)
START_SECONDS = 120.0
CHECK_SECONDS = 0.1
CONNECTIONS = 8
ENDED = "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL"
LEFT = "SELECT count(*) FROM jobs WHERE finished_at IS NULL"


def measure(
    results: Results,
    *,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts; each has as many jobs.")] = 100,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs of an account for each worker.")] = 3,
    seconds: Annotated[float, typer.Option(min=0, help="Seconds of a measurement.")] = 4,
    workers: Annotated[int, typer.Option(min=1, help="The most worker processes.")] = 8,
    rounds: Rounds = 3,
    delay: Annotated[str, typer.Option(help="netem, relay, or auto: netem if possible.")] = "auto",
) -> None:
    """Measure 1 to 8 workers with 5 ms more for each round trip to PostgreSQL."""
    one_way = ROUND_TRIP_SECONDS / 2
    by_kernel = delay != "relay" and enter_slow_network(one_way)
    if delay == "netem" and not by_kernel:
        raise SystemExit("tc netem needs root, its kernel module, and unshare, ip and tc: use --delay relay")
    results.options["delay"] = "netem" if by_kernel else "relay"
    trial = _Trial(accounts=accounts, jobs=jobs, seconds=seconds, delay=0 if by_kernel else one_way)
    costs = asyncio.run(trial.run(rounds, [count for count in COUNTS if count <= workers]))
    alone = statistics.median([cost.rate for cost in costs[1]])
    for count, found in costs.items():
        linear = [cost.rate / (alone * count) if alone else 0 for cost in found]
        results.row(
            f"{count} workers" if count > 1 else "1 worker",
            jobs_per_s=[cost.rate for cost in found],
            against_linear=linear,
            cores_in_use=[sum(cost.cpu[role] for role in SERVICE) / cost.seconds for cost in found],
        )
    results.target("scale", linear)


class _Trial:
    """A service whose workers reach PostgreSQL through a relay."""

    def __init__(self, *, accounts: int, jobs: int, seconds: float, delay: float) -> None:
        self._accounts = accounts
        self._jobs = jobs
        self._seconds = seconds
        self._delay = delay

    async def run(self, rounds: int, counts: list[int]) -> dict[int, list[Cost]]:
        """Return the costs of all rounds by the number of workers."""
        costs: dict[int, list[Cost]] = {workers: [] for workers in counts}
        async with running_service(workers=1, WORKER_TURNS="1", MAX_UNFINISHED_JOBS="1000000") as service:
            relay = Relay(service.home.sockets / ".s.PGSQL.5432", self._delay)
            url = _url(service, await relay.start())
            targets = [await _target(client) for client in await service.clients(self._accounts)]
            await service.scale(0)
            for _ in range(rounds):
                for workers in counts:
                    (left,) = await service.sql(LEFT)
                    await _fill(targets, self._jobs * workers - left[0] // self._accounts)
                    costs[workers].append(await self._drain(service, workers, url))
            await relay.stop()
        return costs

    async def _drain(self, service: Service, workers: int, url: str) -> Cost:
        await service.rest()
        await service.scale(workers, database_url=url)
        await _all_work(service)
        meter, started, (before,) = Meter(service), time.perf_counter(), await service.sql(ENDED)
        await asyncio.sleep(self._seconds)
        (after,) = await service.sql(ENDED)
        cost = meter.cost(after[0] - before[0], time.perf_counter() - started)
        (left,) = await service.sql(LEFT)
        await service.scale(0)
        if not left[0]:
            raise SystemExit(f"{workers} workers drained the queue before the end: use more --jobs")
        return cost


async def _target(client: Client) -> tuple[Client, str]:
    """Make a list. Return the client and the operation that overwrites the list."""
    headers = {"Content-Type": "application/json"}
    made = await client.call("POST", "/v1/contact-lists", '{"name": "far"}', headers, status=201)
    return client, f"lists.overwrite?list_id={made['id']}"


async def _all_work(service: Service) -> None:
    """Wait until each new worker has written to its log that it has ended a job."""
    started = {worker.log: worker.log.stat().st_size for worker in service.workers}
    async with asyncio.timeout(START_SECONDS):
        while any(log.stat().st_size == size for log, size in started.items()):  # noqa: ASYNC110 - a file
            await asyncio.sleep(CHECK_SECONDS)


async def _fill(targets: list[tuple[Client, str]], jobs: int) -> None:
    """Submit `jobs` jobs of each account."""
    left = iter(targets)
    body = b'[{"phone": "%b"}]' % phone_of(0).encode()

    async def send() -> None:
        for client, operation in left:
            async with client.connection() as connection:
                for _ in range(jobs):
                    await connection.submit(body, operation=operation)

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))


def _url(service: Service, port: int) -> str:
    """Return the URL of PostgreSQL through the relay."""
    sockets = quote(str(service.home.sockets), safe="")
    return service.database_url.replace(f"host={sockets}&port=5432", f"host={HOST}&port={port}")
