"""Pruning: delete the rows that nothing needs any more, a bounded number in each transaction."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation, stream_of
from storage.postgres.named_queries import Db, load, row_of
from storage.postgres.pool import Conn, Pool

WINDOWS = {table: load(__name__, {"window": table}) for table in ("grants", "admissions")}
QUERIES = WINDOWS["grants"]  # the other statements name no window

KEEP_SECONDS = 2 * 86_400.0  # of grants and admissions: the longest window is a day
ACCOUNTS = 100  # in one statement
ROWS = 1_000  # of each account, in one statement
CHANGES = 10_000  # of numbers of jobs, in one statement
IMAGES = 200  # in one statement; each has up to 2 MB
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
PARTS = 32  # in one statement: about 32 MiB
RECORDED = stream_of(Operation.CONTACTS_UPSERT, JobParams())  # its jobs need the recorded changes


@dataclass(frozen=True, slots=True, kw_only=True)
class OldJobs:
    """An account with jobs that ended more than `days` ago."""

    account_id: AccountId
    days: int


async def windows(pool: Pool, table: str) -> None:
    """Delete the rows of a table of WINDOWS that no window can count any more."""
    after: int | None = 0
    while after is not None:
        after = await WINDOWS[table].window(
            pool, after=after, accounts=ACCOUNTS, rows=ROWS, keep_seconds=KEEP_SECONDS
        )


async def changes(pool: Pool) -> None:
    """Delete the recorded changes of contacts that no job needs."""
    while await QUERIES.changes(pool, stream=RECORDED, rows=ROWS):
        pass


async def forgotten_parts(pool: Pool) -> None:
    """Delete the parts of all jobs that have ended: of those whose worker died after the end."""
    for row in await QUERIES.ended_with_parts(pool):
        await parts(pool, row["account_id"], row["id"])


async def parts(pool: Pool, account_id: AccountId, job_id: JobId) -> None:
    """Delete the parts of a job, if it has ended. Nothing reads them after the end."""
    while await some_parts(pool, account_id, job_id) == PARTS:
        pass


async def some_parts(db: Db, account_id: AccountId, job_id: JobId) -> int:
    """Delete up to PARTS parts of a job, if it has ended. Return their number."""
    count: int = await QUERIES.parts(db, account_id=account_id, id=job_id, rows=PARTS)
    return count


async def counts(pool: Pool) -> None:
    """Fold the changes of the numbers of jobs, and delete the numbers that are 0."""
    while await QUERIES.fold(pool, rows=CHANGES) == CHANGES:
        pass
    while await QUERIES.drop_empty(pool, rows=CHANGES) == CHANGES:
        pass


async def old_jobs(pool: Pool, days: int) -> AsyncIterator[OldJobs]:
    """Yield the accounts with jobs to delete. One without days of its own keeps its jobs for `days`."""
    after = 0
    while rows := await QUERIES.old_jobs(pool, after=after, accounts=ACCOUNTS, days=days):
        for row in rows:
            if row["account_id"] is not None:
                yield row_of(OldJobs, row)
        after = rows[0]["last"]


async def job(conn: Conn, old: OldJobs) -> int:
    """Delete an old job of an account, with its results. Return 0 if there is none, or if it is in use."""
    count: int = await QUERIES.job(conn, account_id=old.account_id, days=old.days)
    return count


async def images(pool: Pool, days: int) -> None:
    """Delete what is kept of changes of contacts, `days` after the end of the job or the single change."""
    at, number = EARLIEST, 0
    while row := await QUERIES.images(pool, days=days, at=at, number=number, rows=IMAGES):
        at, number = row["at"], row["number"]
    while await QUERIES.single_changes(pool, days=days, rows=ROWS) == ROWS:
        pass
