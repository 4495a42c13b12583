"""`./run bench telemetry`: what metrics, JSON logs and traces cost, against none of them.

Three services run beside each other: one logs nothing and has no traces, one has metrics that are read every
second and logs as JSON, and one has traces, too, which a receiver in this process takes and drops.
They are started again for each round, because a process can be some per cent slower than another one as long
as it lives. Processor time is that of api, workers and servers, without this process.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NoReturn

import aiohttp
from aiohttp import web

from bench.lab.cost import Cost
from bench.lab.options import Jobs, Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson
from bench.lab.service import HOST, NO_AUTOVACUUM, Service, running_service
from bench.lab.sides import Compared, Side, compare
from bench.loads.load import load_once
from bench.traffic.jobs import run_round
from storage.background import beside

OPERATOR_KEY = "operator-key-of-a-benchmark"
SCRAPE_SECONDS = 1.0
WARM_UP_ROWS = 20_000
CONNECTIONS = 16
PORTS = "SELECT metrics_port FROM workers WHERE metrics_port IS NOT NULL"

EVERYTHING = "metrics, logs and traces"
NOTHING = {"LOG_LEVEL": "CRITICAL"}
WATCHED = {"LOG_FORMAT": "json", "METRICS_PORT": "0", "OPERATOR_KEY": OPERATOR_KEY}


def measure(
    results: Results, *, rows: Rows = 200_000, jobs: Jobs = 2_000, rounds: Rounds = 6, workers: Workers = 2
) -> None:
    """Measure the rate and the processor time of a load and of small jobs, with and without telemetry."""
    loads, small = asyncio.run(_measure(rows, jobs, rounds, workers))
    loads.report(results, "new rows")
    small.report(results, "small jobs")
    results.target("telemetry", [1 / ratio for ratio in loads.processor_ratios(EVERYTHING)])


async def _measure(rows: int, jobs: int, rounds: int, workers: int) -> tuple[Compared, Compared]:
    body = contact_rows(range(rows))

    async def load(side: Side, number: int) -> Cost:
        return await load_once(side.service, side.client, body)

    async def small_jobs(side: Side, number: int) -> Cost:
        _latencies, cost = await run_round(side.service, [side.client], jobs, CONNECTIONS)
        return cost

    loads, small = [], []
    for number in range(rounds):
        async with _sides(workers, max_jobs=jobs) as sides:
            for side in sides:
                warm_up = ndjson(contact_rows(range(min(rows, WARM_UP_ROWS)), suffix="~"))
                await side.client.run("contacts.upsert", warm_up)
            loads.append(await compare(sides, load, number, ready=_ready))
            small.append(await compare(sides, small_jobs, number, ready=_ready))
    return Compared.of(loads), Compared.of(small)


async def _ready(side: Side) -> None:
    await side.service.sql("TRUNCATE contacts")
    await side.service.rest()


@asynccontextmanager
async def _sides(workers: int, *, max_jobs: int) -> AsyncIterator[list[Side]]:
    async with AsyncExitStack() as stack:
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": await stack.enter_async_context(_receiving())}
        sides = []
        for what, settings in (
            ("no telemetry", NOTHING),
            ("metrics and logs", WATCHED),
            (EVERYTHING, WATCHED | traces),
        ):
            running = running_service(
                workers=workers, postgres=NO_AUTOVACUUM, MAX_UNFINISHED_JOBS=str(max_jobs), **settings
            )
            service = await stack.enter_async_context(running)
            if settings is not NOTHING:
                await stack.enter_async_context(beside(_scrape_always(service)))
            sides.append(Side(what=what, service=service, client=await service.client()))
        yield sides


async def _scrape_always(service: Service) -> NoReturn:
    """Read the metrics of the api and of all workers every second, as Prometheus does."""
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    ports = [service.port, *(row["metrics_port"] for row in await service.sql(PORTS))]
    async with aiohttp.ClientSession() as session:
        while True:
            for port in ports:
                async with session.get(f"http://{HOST}:{port}/metrics", headers=headers) as response:
                    assert response.status == 200, response
                    await response.read()
            await asyncio.sleep(SCRAPE_SECONDS)


@asynccontextmanager
async def _receiving() -> AsyncIterator[str]:
    """Take spans on a free port, and drop them. Return the URL; no span at all is an error."""
    taken = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal taken
        taken += len(await request.read())
        return web.Response()

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
    assert taken, "no span has arrived"
