"""`./run bench pages`: pages of contacts and searches in an account with millions of contacts.

Searches and a load of new rows are measured without and with the index that `bulklane search-index on`
builds. A search without it reads all contacts, so fewer of them are sent. A request that PostgreSQL does not
answer within the time limit gets a 503: it counts with its time, and in a column of its own.

The reference of a page is the page that a client needs, read by plain SQL: 20 rows in the order of the
primary key. The reference of the index is the service without it.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import typer

from bench.lab.client import Client
from bench.lab.cost import Cost
from bench.lab.crowd import FIRST, LAST, STEP, fill, newcomers
from bench.lab.options import Rounds, Rows
from bench.lab.results import Results
from bench.lab.rows import phone_of
from bench.lab.service import Service, running_service
from bench.loads.load import load_once
from storage.entities.contact_search import switch_index_off, switch_index_on

LIMIT = 20
FEWER = 4  # times fewer requests for what reads all contacts
INDEXED = ", with the index"
PLAIN_PAGE = "plain SQL, page 1"
PLAIN = f"SELECT * FROM contacts WHERE account_id = $1 ORDER BY id DESC LIMIT {LIMIT}"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers to one request, sent several times: their median time in milliseconds, and the 503s."""

    milliseconds: float
    refused: int


Round = dict[str, Answers]  # by what is requested


def measure(
    results: Results,
    *,
    contacts: Annotated[int, typer.Option(min=5000, help="Contacts of the account.")] = 5_800_000,
    requests: Annotated[int, typer.Option(min=1, help="Requests per measurement.")] = 20,
    rows: Rows = 100_000,
    rounds: Rounds = 3,
) -> None:
    """Measure pages of contacts and searches in a large account."""
    found, loads = asyncio.run(_measure(contacts, requests, rows, rounds))
    times = {what: [one[what].milliseconds for one in found] for what in found[0]}
    for what, milliseconds in times.items():
        results.row(what, p50_ms=milliseconds, answers_503=sum(one[what].refused for one in found))
    for what, costs in loads.items():
        rates = [cost.rate for cost in costs]
        results.row(f"{rows:,} new rows{what}", rows_per_s=rates, **Cost.columns(costs))
    results.target("page", times["page 1"])
    results.target("search", max((times[what] for what in times if INDEXED in what), key=statistics.median))


async def _measure(
    contacts: int, requests: int, rows: int, rounds: int
) -> tuple[list[Round], dict[str, list[Cost]]]:
    async with running_service() as service:
        client = await service.client()
        await fill(service, client.account_id, contacts)
        pages, searches = _pages(), _searches(contacts)
        found = []
        for _ in range(rounds):
            plain = {PLAIN_PAGE: await _plain(service, client.account_id, requests)}
            few = max(1, requests // FEWER)
            found.append(await _ask(client, pages, requests) | plain | await _ask(client, searches, few))
        conn = await service.connect()
        await switch_index_on(conn)
        await service.rest()
        indexed = {what + INDEXED: path for what, path in searches.items()}
        found = [one | await _ask(client, indexed, requests) for one in found]
        # last, because the names of new contacts are others, and a search begins with the newest ones
        loads = {INDEXED: await _load(service, client, contacts, rows, rounds, shift=1)}
        await switch_index_off(conn)
        await conn.close()
        loads[""] = await _load(service, client, contacts, rows, rounds, shift=2)
        return found, loads


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


async def _ask(client: Client, paths: Mapping[str, str], requests: int) -> Round:
    """Send each request several times."""
    async with client.connection() as connection:
        found = {}
        for what, path in paths.items():
            times, refused = [], 0
            for _ in range(requests):
                started = time.perf_counter()
                refused += await connection.get_or_refusal(path) is None
                times.append(time.perf_counter() - started)
            found[what] = _answers(times, refused)
        return found


async def _plain(service: Service, account_id: int, requests: int) -> Answers:
    conn = await service.connect()
    times = []
    for _ in range(requests):
        started = time.perf_counter()
        await conn.fetch(PLAIN, account_id)
        times.append(time.perf_counter() - started)
    await conn.close()
    return _answers(times, 0)


async def _load(
    service: Service, client: Client, contacts: int, size: int, rounds: int, *, shift: int
) -> list[Cost]:
    """Load new rows between those that exist. Return the cost of each round."""
    rows = newcomers(contacts, size * rounds, shift=shift)
    costs = []
    for number in range(rounds):
        await service.rest()
        costs.append(await load_once(service, client, rows[number::rounds]))
    return costs


def _answers(times: Sequence[float], refused: int) -> Answers:
    return Answers(milliseconds=statistics.median(times) * 1e3, refused=refused)
