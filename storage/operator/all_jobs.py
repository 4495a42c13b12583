"""The jobs of all accounts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.ids import AccountId, JobId
from schemas.operations import Operation
from schemas.states import JobState
from storage.pipeline.jobs import JobRow, job_row
from storage.postgres.named_queries import Db, load, rows_of

LOOK = 200  # jobs that wait longest
MOST_WAITING = 20  # their accounts
MOST_FAILING = 20
QUERIES = load(__name__)


class JobKey(NamedTuple):
    """A job and its account."""

    account_id: AccountId
    job_id: JobId


class JobPlace(NamedTuple):
    """A job in the order of `newest`: whether it was among the ended ones, and its key."""

    ended: bool
    key: JobKey


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedJob:
    """A job with its account."""

    account_id: AccountId
    account_name: str
    job: JobRow


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingJob:
    """A job that had errors of ours since its last success, and when it is tried again."""

    owned: OwnedJob
    failures: int
    retry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAccount:
    """An account of jobs that wait long. `jobs` counts them; there may be more."""

    account_id: AccountId
    account_name: str
    jobs: int
    oldest_job_id: JobId
    oldest_waiting_at: datetime | None
    throttled_until: datetime | None


async def page(
    db: Db,
    *,
    states: Collection[JobState],
    operations: Collection[Operation] = tuple(Operation),
    before: JobId | None = None,
    size: int,
) -> list[JobKey]:
    """Return the newest jobs of all accounts in one of these states."""
    rows = await QUERIES.page(db, states=list(states), operations=list(operations), before=before, size=size)
    return [_key(row) for row in rows]


async def newest(
    db: Db,
    *,
    states: Collection[JobState] = tuple(JobState),
    operations: Collection[Operation] = tuple(Operation),
    after: JobPlace | None = None,
    size: int,
) -> list[JobPlace]:
    """Return jobs of all accounts: first the newest that have not ended, then the newest that have.

    `after` is the place of the last job of the page before.
    """
    found: dict[JobKey, JobPlace] = {}
    for ended in (False, True):
        wanted = [state for state in states if state.ended is ended]
        if wanted and not (after and after.ended and not ended):
            before = after.key.job_id if after and after.ended is ended else None
            left = size - len(found)
            keys = await page(db, states=wanted, operations=operations, before=before, size=left)
            # a job that ends between the two statements is in both
            found = {key: JobPlace(ended, key) for key in keys} | found
    return sorted(found.values(), key=_order)[:size]


async def oldest_queued(db: Db, size: int) -> list[JobKey]:
    """Return the queued jobs that were received first."""
    return [_key(row) for row in await QUERIES.oldest_queued(db, operations=list(Operation), size=size)]


async def waiting(db: Db) -> list[WaitingAccount]:
    """Return the accounts of the LOOK jobs that wait longest, at most MOST_WAITING of them."""
    rows = await QUERIES.waiting(db, operations=list(Operation), look=LOOK, most=MOST_WAITING)
    return rows_of(WaitingAccount, rows)


async def failing(db: Db) -> list[FailingJob]:
    """Return at most MOST_FAILING jobs with errors of ours, those first that are tried next."""
    rows = {_key(row): row for row in await QUERIES.failing(db, size=MOST_FAILING)}
    return [
        FailingJob(owned=owned, failures=row["failures"], retry_at=row["retry_at"])
        for owned in await views(db, list(rows))
        if (row := rows[JobKey(owned.account_id, owned.job.id)])
    ]


async def account_of(db: Db, job_id: JobId) -> AccountId | None:
    """Return the account of a job, or None if there is no such job."""
    account_id: int | None = await QUERIES.account_of(
        db, states=list(JobState), operations=list(Operation), id=job_id
    )
    return None if account_id is None else AccountId(account_id)


async def views(db: Db, keys: Sequence[JobKey]) -> list[OwnedJob]:
    """Return these jobs as a client sees them, in this order. Unknown ones are absent."""
    rows = await QUERIES.views(
        db, account_ids=[key.account_id for key in keys], ids=[key.job_id for key in keys]
    )
    return [
        OwnedJob(account_id=row["account_id"], account_name=row["account_name"], job=job_row(row))
        for row in rows
    ]


def _order(place: JobPlace) -> tuple[bool, int]:
    return place.ended, -place.key.job_id.int


def _key(row: Any) -> JobKey:
    return JobKey(row["account_id"], row["id"])
