"""Pruning: delete the rows that nothing needs any more, a bounded number in each transaction."""

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation, stream_of
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

WINDOWS = {table: load(__name__, {"window": table}) for table in ("grants", "admissions")}
QUERIES = WINDOWS["grants"]  # the other statements name no window

KEEP_SECONDS = 2 * 86_400.0  # of grants and admissions: the longest window is a day
ACCOUNTS = 100  # in one statement
ROWS = 1_000  # of each account, in one statement
CHANGES = 10_000  # of numbers of jobs, in one statement
PARTS = 32  # in one statement: about 32 MiB
RECORDED = stream_of(Operation.CONTACTS_UPSERT, JobParams())  # its jobs need the recorded changes


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
    while await QUERIES.parts(pool, account_id=account_id, id=job_id, rows=PARTS) == PARTS:
        pass


async def counts(pool: Pool) -> None:
    """Fold the changes of the numbers of jobs, and delete the numbers that are 0."""
    while await QUERIES.fold(pool, rows=CHANGES) == CHANGES:
        pass
    while await QUERIES.drop_empty(pool, rows=CHANGES) == CHANGES:
        pass


async def job(conn: Conn, days: int) -> int:
    """Delete a job that ended more than `days` ago, with its results. Return 0 if there is none."""
    count: int = await QUERIES.job(conn, days=days)
    return count
