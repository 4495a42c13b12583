"""What can be undone of a job, and the items of its undo."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from schemas.ids import AccountId, JobId
from schemas.states import JobState, Outcome
from storage.postgres.held_cursor import held_cursor
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.templates import codes

QUERIES = load(__name__, codes(Outcome.CREATED, Outcome.UPDATED))
PAGE = 500  # items; one that names its contact in each of 10,000 chunks has 100 KB


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoable:
    """A job that a client wants to undo.

    `expired`: its images may have been pruned. `moves`: it has changed a phone or an external id. `undone_by`
    is an undo of it that has not ended. `members`: memberships that it has added or removed.
    """

    account_id: AccountId
    job_id: JobId
    name: str | None
    tags: tuple[str, ...]
    stream: str
    parallel: int
    dry_run: bool
    state: JobState
    created: int
    updated: int
    members: int
    finished_at: datetime | None
    expired: bool
    has_images: bool
    moves: bool
    undone_by: JobId | None
    trace: str | None  # see schemas.trace_context


async def undoable(db: Conn | Pool, account_id: AccountId, job_id: JobId, *, days: int) -> Undoable | None:
    """Return a job to undo whose images are kept for some days, or None if the account has no such job."""
    row = await QUERIES.facts(db, account_id=account_id, id=job_id, days=days)
    if row is None:
        return None
    facts = dict(row) | {"state": JobState(row["state"]), "tags": tuple(row["tags"])}
    return Undoable(account_id=account_id, job_id=job_id, **facts)


async def items(pool: Pool, account_id: AccountId, job_id: JobId) -> AsyncIterator[bytes]:
    """Yield the items of an undo as NDJSON, in pages. Holds a connection of the pool until the last one."""
    declare = partial(QUERIES.declare, account_id=account_id, id=job_id)
    async with held_cursor(pool, "undone", PAGE, declare) as (_, pages):
        async for page in pages:
            yield _lines(page)


async def runs(pool: Pool, account_id: AccountId, job_id: JobId) -> AsyncIterator[bytes]:
    """As `items`; each piece has the contacts that one chunk of the job was the last to change.

    They may have exchanged their phones and external ids, so they must get them back together.
    """
    declare = partial(QUERIES.declare, account_id=account_id, id=job_id)
    held: list[Any] = []
    async with held_cursor(pool, "undone", PAGE, declare) as (_, pages):
        async for page in pages:
            for row in page:
                if held and row["last"] != held[-1]["last"]:
                    yield _lines(held)
                    held = []
                held.append(row)
    if held:
        yield _lines(held)


def _lines(rows: Sequence[Any]) -> bytes:
    return "".join([row["line"] + "\n" for row in rows]).encode()
