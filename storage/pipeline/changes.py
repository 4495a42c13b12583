"""The changes of an account's jobs since a client last looked, in an order in which none is lost.

Transactions do not commit in the order in which they begin. So a cursor names the newest transaction, and
those before it whose changes it does not cover, because they had not ended.
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Self

import asyncpg

from schemas.ids import AccountId, JobId, read_job_id, show_job_id
from storage.pipeline.jobs import JobRow, job_row
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import flush

QUERIES = load(__name__)

PAGE_JOBS = 500
MOST_OPEN = 2_000  # more transactions than PostgreSQL runs at once
_TEXT = re.compile(r"(\d{1,18})(?:\.(\d{1,18}(?:,\d{1,18})*))?((?:-\d{1,18}-job_\w{26})*)", re.ASCII)
_PART = re.compile(r"-(\d+)-(job_\w+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A transaction of which only the changes of the jobs up to an id are covered."""

    at: int
    job_id: JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in the changes of an account: it covers all transactions up to `at`, except those in `open`.

    Of the transactions in `parts`, it covers a part. Transactions are numbers (PostgreSQL's `xid8`).
    """

    at: int
    open: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()

    @classmethod
    def of_snapshot(cls, snapshot: str) -> Self:
        """Return the cursor that covers what a snapshot of PostgreSQL shows."""
        _, following, running = snapshot.split(":")
        return cls(at=int(following) - 1, open=tuple(map(int, filter(None, running.split(",")))))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the cursor in a text that `show` wrote; None if there is none."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        at, running, rest = found.groups()
        open_ = tuple(map(int, running.split(","))) if running else ()
        parts = [(int(part_at), read_job_id(job)) for part_at, job in _PART.findall(rest)]
        if max(len(open_), len(parts)) > MOST_OPEN:
            return None
        known = tuple(Part(at=part_at, job_id=job_id) for part_at, job_id in parts if job_id)
        return cls(at=int(at), open=open_, parts=known) if len(known) == len(parts) else None

    def show(self) -> str:
        """Return the cursor as text, without spaces or line ends."""
        running = "." + ",".join(map(str, self.open)) if self.open else ""
        parts = "".join(f"-{part.at}-{show_job_id(part.job_id)}" for part in self.parts)
        return f"{self.at}{running}{parts}"

    def covers(self, at: int, job_id: JobId) -> bool:
        """Whether this covers the change of a job by a transaction."""
        for part in self.parts:
            if at == part.at:
                return job_id <= part.job_id
        return at <= self.at and at not in self.open

    def includes(self, other: "Cursor") -> bool:
        """Whether this covers all that another cursor covers. Only for a cursor that covers no part."""
        return other.at <= self.at and all(at > other.at or at in other.open for at in self.open)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """A job after its last change, which was by the transaction `at`; and the cursor that covers it, too."""

    job: JobRow
    at: int
    cursor: Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The changes after a cursor, and the cursor that covers them all. `more`: read again from there."""

    changes: Sequence[JobChange]
    cursor: Cursor
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNow:
    """A job, the transactions of its changes, and the cursor that covers what is committed at this moment."""

    job: JobRow
    ats: tuple[int, ...]
    cursor: Cursor

    def covered_by(self, cursor: Cursor) -> bool:
        """Whether a cursor covers all changes of the job."""
        return all(cursor.covers(at, self.job.id) for at in self.ats)


async def now(pool: Pool) -> Cursor:
    """Return the cursor that covers what is committed at this moment."""
    async with pool.acquire() as conn:
        cursor = Cursor.of_snapshot(await QUERIES.now(conn))
        await flush(conn)
    return cursor


async def changed_accounts(pool: Pool, since: Mapping[AccountId, Cursor]) -> list[AccountId]:
    """Return the accounts that may have changes after their cursors: a job has changed, or runs."""
    firsts = [str(_first_open(cursor)) for cursor in since.values()]
    rows = await QUERIES.changed_accounts(pool, account_ids=list(since), firsts=firsts)
    return [row["account_id"] for row in rows]


async def read(
    pool: Pool, account_id: AccountId, after: Cursor, *, until: Cursor | None = None, size: int = PAGE_JOBS
) -> Changes:
    """Return the jobs of an account that have changed after a cursor, each once.

    `until` leaves out the jobs whose last change it does not cover; it includes `after`. None: none are left
    out.

    What is returned is on disk: a crash of PostgreSQL does not take it back, and no later transaction gets
    the number of one that a cursor covers.
    """
    async with pool.acquire() as conn:
        rows = await _rows(conn, account_id, after, size)
        if rows[0]["id"] is not None:
            await flush(conn)
    limit = until or Cursor.of_snapshot(rows[0]["snapshot"])
    found = [(row["at"], job_row(row)) for row in rows if row["id"] is not None]
    kept = [(at, job) for at, job in found if limit.covers(at, job.id)]
    more = len(found) >= size and found[-1][0] <= limit.at
    if more and not kept:  # all of them changed again by transactions that `until` does not cover
        return await read(pool, account_id, after, until=until, size=2 * size)
    changes = []
    # what the page may have no room for; what lies behind the position of `after` needs no name
    begun = {*after.open, *(part.at for part in after.parts)} if more else set()
    for place, (at, job) in enumerate(kept, start=1):
        waiting = {later for later, _ in kept[place:]} | {number for number in begun if number > at}
        whole = not waiting and not more
        cursor = limit if whole else _between(after, limit, at, job.id, waiting)
        changes.append(JobChange(job=job, at=at, cursor=cursor))
    return Changes(changes=changes, cursor=changes[-1].cursor if changes else limit, more=more)


async def of_job(
    pool: Pool, account_id: AccountId, job_id: JobId, since: Sequence[Cursor] = ()
) -> JobNow | None:
    """Return a job as it is now; None: the account has no such job.

    Its changes are only those that some cursor of `since` may not cover.
    """
    async with pool.acquire() as conn:
        row = await QUERIES.of_job(
            conn, account_id=account_id, id=job_id, first=str(min(map(_first_open, since), default=0))
        )
        await flush(conn)
    if row is None:
        return None
    return JobNow(job=job_row(row), ats=tuple(row["ats"]), cursor=Cursor.of_snapshot(row["snapshot"]))


def _first_open(cursor: Cursor) -> int:
    """Return the first transaction that a cursor may not cover."""
    return min((cursor.at + 1, *cursor.open, *(part.at for part in cursor.parts)))


def _between(after: Cursor, limit: Cursor, at: int, job_id: JobId, waiting: AbstractSet[int]) -> Cursor:
    """Return the cursor within a page: after the change of a job at `at`, before those at `waiting`."""
    newest = max(after.at, at)
    begun = [part for part in after.parts if part.at in waiting and part.at != at]
    parts = (*begun, Part(at=at, job_id=job_id))
    whole = {number for number in (*limit.open, *waiting) if number <= newest}
    return Cursor(at=newest, open=tuple(sorted(whole - {part.at for part in parts})), parts=parts)


async def _rows(conn: Conn, account_id: AccountId, after: Cursor, size: int) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await QUERIES.read(
        conn,
        account_id=account_id,
        at=str(after.at),
        open=list(map(str, after.open)),
        part_ats=[str(part.at) for part in after.parts],
        part_ids=[part.job_id for part in after.parts],
        size=size,
    )
    return rows
