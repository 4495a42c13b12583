"""The contacts that a job changed out of order: a chunk was applied before a chunk with earlier items."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from schemas.ids import AccountId, JobId
from storage.pipeline.results import LONG_SECONDS
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import lift_time_limit

QUERIES = load(__name__)
FETCH = "FETCH 1000 FROM reordered"  # the cursor that the query `declare` opens
CLOSE = "CLOSE reordered"


class Reordered(NamedTuple):
    """A contact that a job changed out of order. `chunks` are the first indexes of its chunks, in order."""

    contact_id: int
    chunks: list[int]


class AppliedChunk(NamedTuple):
    """An applied chunk with its bytes, to read its items again. `contact_ids` are the contacts of its items.

    `applied` numbers the chunks in the order of their application.
    """

    first_index: int
    items: int
    skip: int
    applied: int
    contact_ids: list[int | None]
    body: bytes


async def any_chunk(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> bool:
    """Return whether any chunk of the job was applied before a chunk with earlier items."""
    found: bool = await QUERIES.any(db, account_id=account_id, id=job_id)
    return found


@asynccontextmanager
async def opened(
    pool: Pool, account_id: AccountId, job_id: JobId
) -> AsyncIterator[tuple[Conn, AsyncIterator[list[Reordered]]]]:
    """Find the contacts that the job changed out of order.

    Yields a connection and pages of these contacts, each contact once. The pages are read from this
    connection, so the caller works on it, too, in a transaction for each piece of work.
    """
    async with pool.acquire() as conn:
        async with conn.transaction():
            await lift_time_limit(conn)  # reads all results, possibly many millions
            await QUERIES.declare(conn, account_id=account_id, id=job_id)
            first = await _page(conn)
        try:
            yield conn, _pages(conn, first)
        finally:
            await _close(conn)


async def chunk(conn: Conn, account_id: AccountId, job_id: JobId, first_index: int) -> AppliedChunk:
    """Return an applied chunk by its first index."""
    return AppliedChunk(
        **await QUERIES.chunk(conn, account_id=account_id, id=job_id, first_index=first_index)
    )


async def _pages(conn: Conn, page: list[Reordered]) -> AsyncIterator[list[Reordered]]:
    while page:
        yield page
        page = await _page(conn)


async def _page(conn: Conn) -> list[Reordered]:
    rows = await conn.fetch(FETCH, timeout=LONG_SECONDS)
    return [Reordered(row["contact_id"], row["chunks"]) for row in rows]


async def _close(conn: Conn) -> None:
    """Close the cursor. A connection that keeps it open must not return to the pool."""
    try:
        await conn.execute(CLOSE)
    except BaseException:
        conn.terminate()
        raise
