"""`./run bench undone`: what the undo of a large job takes, against the load that it undoes.

Each round changes a field of all rows and undoes that. A checksum over all columns but `updated_at` shows
that every value is back. The time of an undo is that from its request, which collects its items, to its end.
"""

import asyncio
import time
from collections.abc import Mapping

from bench.lab.client import Client
from bench.lab.cost import Cost, cost_of
from bench.lab.options import Rounds, Rows, Workers
from bench.lab.results import Results
from bench.lab.rows import contact_rows, ndjson
from bench.lab.service import Service, running_service

LOAD, UNDO = "changed rows", "the same rows undone"
CHECKSUM = """
    SELECT md5(string_agg(md5((to_jsonb(c) - 'updated_at')::text), '' ORDER BY id)) AS checksum
    FROM contacts c
"""

Round = Mapping[str, Cost]


def measure(results: Results, *, rows: Rows = 1_000_000, rounds: Rounds = 3, workers: Workers = 2) -> None:
    """Measure the undo of a job that has changed all rows, and compare every value with what it was."""
    found = asyncio.run(_measure(rows, rounds, workers))
    for what in (LOAD, UNDO):
        costs = [one[what] for one in found]
        times = [one[LOAD].rate / one[what].rate for one in found]
        results.row(what, rows_per_s=[cost.rate for cost in costs], time=times, **Cost.columns(costs))
    results.target("undone", [one[LOAD].rate / one[UNDO].rate for one in found])


async def _measure(size: int, rounds: int, workers: int) -> list[Round]:
    async with running_service(workers=workers) as service:
        client = await service.client()
        await client.run("contacts.upsert", ndjson(contact_rows(range(size))))
        before = await _checksum(service)
        found = []
        for number in range(rounds):
            found.append(await _round(service, client, size, number))
            assert await _checksum(service) == before, "the undo has not given back every value"
        return found


async def _round(service: Service, client: Client, size: int, number: int) -> Round:
    """Change all rows, and undo that."""
    jobs = []
    body = ndjson(contact_rows(range(size), suffix=f" {number}"))

    async def load() -> float:
        started = time.perf_counter()
        jobs.append(await client.ended(await client.submit("contacts.upsert", body)))
        return time.perf_counter() - started

    async def undo() -> float:
        started = time.perf_counter()
        job = await client.call("POST", f"/v1/jobs/{jobs[0]['id']}/undo", status=202)
        assert (await client.ended(job))["counts"]["updated"] == size
        return time.perf_counter() - started

    costs = {}
    for what, work in ((LOAD, load), (UNDO, undo)):
        await service.sql("VACUUM contacts")
        await service.rest()
        costs[what] = await cost_of(service, size, work())
    return costs


async def _checksum(service: Service) -> str:
    (row,) = await service.sql(CHECKSUM)
    return str(row["checksum"])
