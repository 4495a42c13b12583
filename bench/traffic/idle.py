"""`./run bench idle`: the processor time of an idle service."""

import asyncio
from collections import defaultdict
from typing import Annotated

import typer

from bench.lab.options import Rounds, Workers
from bench.lab.results import Results
from bench.lab.service import running_service
from bench.traffic.latency import WARM_UP_JOBS, latencies

SETTLE_SECONDS = 3.0  # after the last job, so that its traces are gone


def measure(
    results: Results,
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of a measurement.")] = 20,
    rounds: Rounds = 3,
    workers: Workers = 2,
) -> None:
    """Measure the processor time of an idle service."""
    found = asyncio.run(_measure(seconds, rounds, workers))
    for role, shares in found.items():
        results.row(f"{workers} workers" if role == "worker" else role, percent_of_a_core=shares)
    results.target("idle", found["worker"])


async def _measure(seconds: float, rounds: int, workers: int) -> dict[str, list[float]]:
    found = defaultdict(list)
    async with running_service(workers=workers) as service:
        await latencies(await service.client(), WARM_UP_JOBS, 10)
        await asyncio.sleep(SETTLE_SECONDS)
        for _ in range(rounds):
            before = service.cpu()
            await asyncio.sleep(seconds)
            after = service.cpu()
            for role in ("worker", "api", "postgres", "valkey"):
                found[role].append((after[role] - before[role]) / seconds * 100)
    return found
