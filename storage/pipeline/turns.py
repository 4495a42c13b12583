"""The turns of accounts: by virtual time, so that no account waits for another one's million rows."""

from schemas.ids import AccountId, JobId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)


async def throttle(conn: Conn, account_id: AccountId, job_id: JobId, wait_seconds: float) -> None:
    """Put the account's turn off until its window has room, and show it on the job."""
    await QUERIES.throttle(conn, account_id=account_id, id=job_id, wait_seconds=wait_seconds)


async def lock(conn: Conn, account_id: AccountId) -> None:
    """Lock the account's turn: a claim holds it from its choice to its commit."""
    await QUERIES.lock(conn, account_id=account_id)


async def wake(conn: Conn, account_id: AccountId) -> None:
    """Make the turn ready at once: the job that waited for the window is gone, others may need less."""
    await QUERIES.wake(conn, account_id=account_id)


async def leave(conn: Conn, account_id: AccountId) -> None:
    """Lock the turn, and deactivate it if the account has no other unfinished job."""
    await lock(conn, account_id)
    await QUERIES.deactivate_idle(conn, account_id=account_id)


async def due(db: Conn | Pool) -> int:
    """How many chunks could be claimed now."""
    count: int = await QUERIES.due(db)
    return count
