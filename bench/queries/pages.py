"""`./run bench pages`: pages of contacts and searches in an account with millions of contacts.

Searches are measured without and with the index that `bulklane search-index on` builds.

The reference is the page that a client needs, read by plain SQL: 20 rows in the order of the primary key.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from typing import Annotated
from urllib.parse import quote

import typer

from bench.lab.client import Client
from bench.lab.crowd import FIRST, LAST, STEP, fill
from bench.lab.options import Rounds
from bench.lab.results import Results
from bench.lab.rows import phone_of
from bench.lab.service import Service, running_service
from storage.entities.contact_search import switch_index_on

LIMIT = 20
INDEXED = ", with the index"
PLAIN = f"SELECT * FROM contacts WHERE account_id = $1 ORDER BY id DESC LIMIT {LIMIT}"


def measure(
    results: Results,
    *,
    contacts: Annotated[int, typer.Option(min=5000, help="Contacts of the account.")] = 5_800_000,
    requests: Annotated[int, typer.Option(min=1, help="Requests per measurement.")] = 20,
    rounds: Rounds = 3,
) -> None:
    """Measure pages of contacts and searches in a large account."""
    found = asyncio.run(_measure(contacts, requests, rounds))
    for what, times in found.items():
        results.row(what, p50_ms=times)
    results.target("page", found["page 1"])
    results.target(
        "search", max((times for what, times in found.items() if INDEXED in what), key=statistics.median)
    )


async def _measure(contacts: int, requests: int, rounds: int) -> dict[str, list[float]]:
    async with running_service(workers=1) as service:
        client = await service.client()
        await fill(service, client.account_id, contacts)
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            for what, path in (_pages() | _searches(contacts)).items():
                found[what].append(await _median(client, path, requests))
            found["plain SQL, page 1"].append(await _plain(service, client.account_id, requests))
        conn = await service.connect()
        await switch_index_on(conn)
        await conn.close()
        await service.rest()
        for _ in range(rounds):
            for what, path in _searches(contacts).items():
                found[what + INDEXED].append(await _median(client, path, requests))
        return found


def _pages() -> dict[str, str]:
    """Return the requests for pages by their names."""
    return {f"page {page:,}": f"/v1/contacts?limit={LIMIT}&page={page}" for page in (1, 1_000)}


def _searches(contacts: int) -> dict[str, str]:
    """Return the requests that search by their names."""
    middle = contacts // 2
    searches = {
        "a whole name": f"{FIRST[middle % len(FIRST)]} {LAST[middle % len(LAST)]} {middle}",
        "a rare word": str(middle),
        "a common word": FIRST[0],
        "a word that nobody has": "Xyzzy",
        "the start of a phone": phone_of(0)[:9],
        "a whole phone": phone_of(middle * STEP),
    }
    return {
        f"search for {what}": f"/v1/contacts?limit={LIMIT}&search={quote(text)}"
        for what, text in searches.items()
    }


async def _median(client: Client, path: str, requests: int) -> float:
    """Send a request several times. Return the median time in milliseconds."""
    times = []
    async with client.connection() as connection:
        for _ in range(requests):
            started = time.perf_counter()
            await connection.get(path)
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


async def _plain(service: Service, account_id: int, requests: int) -> float:
    conn = await service.connect()
    times = []
    for _ in range(requests):
        started = time.perf_counter()
        await conn.fetch(PLAIN, account_id)
        times.append(time.perf_counter() - started)
    await conn.close()
    return statistics.median(times) * 1e3
