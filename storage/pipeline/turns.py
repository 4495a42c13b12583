"""The turns of accounts, ordered by virtual time, so that no account waits for another one's large job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.ids import AccountId, JobId
from storage.postgres.named_queries import Db, load, rows_of
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)


class Throttled(NamedTuple):
    """An account whose window has no room, the job that waits for it, and the seconds to wait."""

    account_id: AccountId
    job_id: JobId
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBacklog:
    """The accepted jobs of a stream that have not ended.

    `items` are those without a result, of the jobs whose items are counted; the other jobs are `uncounted`.
    `pace` is the number of items a second that the running jobs have had since their starts.
    """

    stream: str
    jobs: int
    uncounted: int
    items: int
    pace: float
    throttled_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The jobs of an account that have not ended: uploads, and accepted jobs by stream, most items first."""

    receiving: int
    streams: tuple[StreamBacklog, ...]


async def throttle(conn: Conn, throttled: Sequence[Throttled]) -> None:
    """Delay the turns of accounts until their windows have room. Mark the jobs as throttled."""
    await QUERIES.throttle(
        conn,
        account_ids=[one.account_id for one in throttled],
        ids=[one.job_id for one in throttled],
        waits=[one.wait_seconds for one in throttled],
    )


async def backlog(db: Db, account_id: AccountId) -> Backlog:
    """Return what an account still has to do."""
    receiving = await QUERIES.receiving(db, account_id=account_id)
    return Backlog(
        receiving=receiving,
        streams=tuple(rows_of(StreamBacklog, await QUERIES.backlog(db, account_id=account_id))),
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
