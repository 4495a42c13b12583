"""The turns of accounts, ordered by virtual time, so that no account waits for another one's large job."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.ids import AccountId, JobId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)


class Throttled(NamedTuple):
    """An account whose window has no room, the job that waits for it, and the seconds to wait."""

    account_id: AccountId
    job_id: JobId
    wait_seconds: float


async def throttle(conn: Conn, throttled: Sequence[Throttled]) -> None:
    """Delay the turns of accounts until their windows have room. Mark the jobs as throttled."""
    await QUERIES.throttle(
        conn,
        account_ids=[one.account_id for one in throttled],
        ids=[one.job_id for one in throttled],
        waits=[one.wait_seconds for one in throttled],
    )


async def wait(pool: Pool, account_id: AccountId) -> None:
    """Wait until nobody has locked the account's turn."""
    await QUERIES.lock(pool, account_id=account_id)


async def lock(conn: Conn, account_id: AccountId) -> None:
    """Lock the account's turn. A claim holds this lock from its choice of the chunk until its commit."""
    await QUERIES.lock(conn, account_id=account_id)


async def wake(conn: Conn, account_id: AccountId) -> None:
    """Make the turn ready at once, after the job that waited for the window was cancelled.

    The account's other jobs may need less.
    """
    await QUERIES.wake(conn, account_id=account_id)


async def due(db: Conn | Pool, most: int) -> int:
    """Return the number of chunks that can be claimed now, but not more than `most`."""
    await QUERIES.wake_due(db, most=most)
    count: int = await QUERIES.due(db, most=most)
    return count
