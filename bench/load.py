"""`python -m bench load`: compare the whole service with plain COPY + ON CONFLICT of the same rows.

The plain way is the limit that PostgreSQL sets. Its rows are already valid and parsed. On one connection,
chunks of 1,000 rows are COPYed to a temporary table and upserted into a table like `contacts`, in one
transaction per chunk. The service gets the same rows as one NDJSON upload; its time is from the first byte
to the end of the job, with validation and a result for every item. Both use the same PostgreSQL, in turns, so
the ratio is stable when absolute numbers drift with the machine. Both are warmed up with some thousand rows
first.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp
import asyncpg
from rich.console import Console
from rich.table import Table

from bench.service import Service, running_service

CHUNK = 1_000
WARM_UP_ROWS = 20_000
COLUMNS = ("phone", "name", "email", "language", "metadata")
Row = tuple[str, str, str, str, str]

MAKE_TABLE = "CREATE TABLE plain (LIKE contacts INCLUDING ALL)"
DROP_TABLE = "DROP TABLE IF EXISTS plain"
MAKE_STAGE = """
CREATE TEMPORARY TABLE plain_stage (phone text, name text, email text, language text, metadata jsonb)
ON COMMIT DELETE ROWS
"""
UPSERT = """
INSERT INTO plain (account_id, phone, name, email, language, metadata)
SELECT 1, phone, name, email, language, metadata FROM plain_stage
ON CONFLICT (account_id, phone) DO UPDATE SET name = excluded.name, email = excluded.email,
    language = excluded.language, metadata = excluded.metadata
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case to measure: new rows, changed rows or unchanged rows."""

    name: str
    rows: Callable[[int], list[Row]]


def _rows(size: int, suffix: str) -> list[Row]:
    metadata = json.dumps({"city": "San Francisco", "tier": "premium"})
    return [
        (f"+1415{2_000_000 + n:07}", f"Name {n}{suffix}", f"person{n}@example.com", "en-US", metadata)
        for n in range(size)
    ]


CASES = (
    Case(name="new", rows=lambda size: _rows(size, "")),
    Case(name="changed", rows=lambda size: _rows(size, "!")),
    Case(name="unchanged", rows=lambda size: _rows(size, "!")),
)


def measure(*, rows: int, rounds: int, workers: int) -> None:
    """Run all cases and print the rows per second of both ways, and the ratio."""
    with running_service(workers) as service:
        rates = asyncio.run(_measure(service, rows, rounds))
    table = Table("rows", "service, rows/s", "plain COPY + upsert, rows/s", "ratio (median)", "ratios")
    for case in CASES:
        pairs = rates[case.name]
        ratios = sorted(ours / plain for ours, plain in pairs)
        table.add_row(
            case.name,
            f"{statistics.median(ours for ours, _ in pairs):,.0f}",
            f"{statistics.median(plain for _, plain in pairs):,.0f}",
            f"{statistics.median(ratios):.2f}",
            " ".join(f"{ratio:.2f}" for ratio in ratios),
        )
    Console(width=110).print(table)


async def _measure(service: Service, size: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    rates: dict[str, list[tuple[float, float]]] = {case.name: [] for case in CASES}
    conn = await asyncpg.connect(service.database_url)
    await conn.execute(MAKE_STAGE)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {service.api_key}"}) as http:
        await _clean(conn)
        warm_up = _rows(WARM_UP_ROWS, "?")
        await _through_service(http, service.url, warm_up)
        await _plainly(conn, warm_up)
        for _ in range(rounds):
            await _clean(conn)
            for case in CASES:
                rows = case.rows(size)
                await conn.execute("CHECKPOINT")  # so that neither has to write pages of the other
                ours = await _through_service(http, service.url, rows)
                await conn.execute("CHECKPOINT")
                plain = await _plainly(conn, rows)
                rates[case.name].append((size / ours, size / plain))
    await conn.close()
    return rates


async def _clean(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Empty both tables. The plain one is dropped and created again, so that neither reuses warm pages."""
    await conn.execute("TRUNCATE contacts")
    await conn.execute(DROP_TABLE)
    await conn.execute(MAKE_TABLE)


async def _through_service(http: aiohttp.ClientSession, url: str, rows: Sequence[Row]) -> float:
    body = b"\n".join(
        json.dumps(dict(zip(COLUMNS[:4], row, strict=False)) | {"metadata": json.loads(row[4])}).encode()
        for row in rows
    )
    headers = {"Content-Type": "application/x-ndjson"}
    started = time.perf_counter()
    async with http.post(f"{url}/v1/bulk/contacts.upsert", data=body, headers=headers) as response:
        job = await response.json()
        assert response.status == 202, job
    while not job["finished_at"]:
        async with http.get(f"{url}/v1/jobs/{job['id']}?wait=60") as response:
            job = await response.json()
    elapsed = time.perf_counter() - started
    assert job["state"] == "completed", job
    assert job["total"] == len(rows)
    return elapsed


async def _plainly(conn: "asyncpg.Connection[asyncpg.Record]", rows: Sequence[Row]) -> float:
    started = time.perf_counter()
    for at in range(0, len(rows), CHUNK):
        async with conn.transaction():
            await conn.copy_records_to_table("plain_stage", records=rows[at : at + CHUNK], columns=COLUMNS)
            await conn.execute(UPSERT)
    return time.perf_counter() - started
