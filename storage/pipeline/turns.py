"""The turns of accounts, ordered by virtual time, so that no account waits for another one's large job."""

from collections.abc import Sequence

from schemas.ids import AccountId, JobId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)


async def throttle(conn: Conn, account_id: AccountId, job_id: JobId, wait_seconds: float) -> None:
    """Delay the account's turn by `wait_seconds`, until its window has room. Mark the job as throttled."""
    await QUERIES.throttle(conn, account_id=account_id, id=job_id, wait_seconds=wait_seconds)


async def lock(conn: Conn, account_id: AccountId) -> None:
    """Lock the account's turn. A claim holds this lock from its choice of the chunk until its commit."""
    await QUERIES.lock(conn, account_id=account_id)


async def wake(conn: Conn, account_id: AccountId) -> None:
    """Make the turn ready at once, after the job that waited for the window was cancelled.

    The account's other jobs may need less.
    """
    await QUERIES.wake(conn, account_id=account_id)


async def leave(conn: Conn, account_ids: Sequence[AccountId]) -> None:
    """Lock the turns of accounts, and deactivate those of accounts without another unfinished job."""
    await QUERIES.lock_many(conn, account_ids=account_ids)
    await QUERIES.deactivate_idle(conn, account_ids=account_ids)


async def due(db: Conn | Pool) -> int:
    """Return the number of chunks that can be claimed now."""
    count: int = await QUERIES.due(db)
    return count
