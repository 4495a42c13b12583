"""The contacts that a job changed out of order: a chunk was applied before a chunk with earlier items."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from schemas.ids import AccountId, JobId
from storage.postgres.held_cursor import held_cursor
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)
PAGE = 1000  # contacts


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
    declare = partial(QUERIES.declare, account_id=account_id, id=job_id)
    async with held_cursor(pool, "reordered", PAGE, declare) as (conn, pages):
        yield conn, _pages(pages)


async def chunk(conn: Conn, account_id: AccountId, job_id: JobId, first_index: int) -> AppliedChunk:
    """Return an applied chunk by its first index."""
    return AppliedChunk(
        **await QUERIES.chunk(conn, account_id=account_id, id=job_id, first_index=first_index)
    )


async def _pages(pages: AsyncIterator[list[Any]]) -> AsyncIterator[list[Reordered]]:
    async for page in pages:
        yield [Reordered(row["contact_id"], row["chunks"]) for row in page]
