"""Deliveries on their way: workers take them in, lease them, and record each attempt."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.ids import AccountId, JobId
from schemas.webhooks.event_types import OffReason
from schemas.webhooks.verdicts import Verdict
from storage.pipeline.leases import LEASE_SECONDS
from storage.postgres.named_queries import load, rows_of
from storage.postgres.pool import Pool

PARALLEL = 4  # deliveries of one webhook that are sent at once, by all workers
DOUBTFUL_FAILURES = 5  # after so many in a row, one is sent at a time: a dead endpoint fills no slots
FAILING_DAYS = 5  # a webhook is switched off whose attempts have all failed for so long
LEAST_FAILURES = 10  # and so often: one failure after days without an event is not enough
KEPT_ATTEMPTS = 20  # of a delivery, the last ones
TAKEN_IN = 1_000  # by one statement
TAKEN_IN_SHARE = 50  # of them of one account
PRUNED = 1_000  # by one statement
LONGER_DAYS = 7  # that deliveries which have not ended are kept longer: their webhooks are off
CLOCK_LOOK_SECONDS = 1  # all workers together look at the clock no more often
LEAST_STEP_SECONDS = 1  # a smaller step of the clock delays nothing noticeably
QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedDelivery:
    """A delivery that this worker has leased, with what an attempt needs.

    Since it was queued, `age_seconds` ago, `tries` attempts were made, and `faults` errors of ours were in
    the way of one. `keys` are the secrets that sign it.
    """

    account_id: AccountId
    webhook_id: str
    number: int
    token: int
    id: UUID
    event: str
    job_id: JobId | None
    throttled_until: datetime | None
    created_at: datetime
    age_seconds: float
    tries: int
    faults: int
    url: str
    keys: Sequence[bytes]


class Lease(NamedTuple):
    """The lease of a delivery."""

    account_id: AccountId
    webhook_id: str
    number: int
    token: int
    lease_until: datetime


async def take_in(pool: Pool) -> bool:
    """Take in deliveries that were queued, a share for each account. Return whether there may be more."""
    count: int | None = await QUERIES.take_in(pool, most=TAKEN_IN)
    return (count or 0) >= TAKEN_IN_SHARE


async def claim(pool: Pool, tokens: Sequence[int], busy: Collection[AccountId]) -> list[LeasedDelivery]:
    """Lease up to one due delivery for each token, of accounts that are not in `busy`."""
    rows = await QUERIES.claim(pool, tokens=list(tokens), busy=list(busy), lease_seconds=LEASE_SECONDS)
    return rows_of(LeasedDelivery, rows)


async def record(pool: Pool, delivery: LeasedDelivery, verdict: Verdict, attempt: str) -> OffReason | None:
    """Record an attempt (as JSON) and what follows it, unless another worker has taken over.

    Returns why the webhook was switched off by it, or None.
    """
    reason: str | None = await QUERIES.record(
        pool,
        account_id=delivery.account_id,
        webhook_id=delivery.webhook_id,
        number=delivery.number,
        token=delivery.token,
        state=verdict.state.value,
        delay_seconds=verdict.delay_seconds,
        gone=verdict.gone,
        ours=verdict.ours,
        attempt=attempt,
    )
    return OffReason(reason) if reason else None


async def renew(pool: Pool, held: Collection[LeasedDelivery]) -> None:
    """Renew the leases of deliveries."""
    if held:
        await QUERIES.renew(pool, **_columns(held), lease_seconds=LEASE_SECONDS)


async def expired(pool: Pool) -> list[Lease]:
    """Return the leases that have expired."""
    return [Lease(**row) for row in await QUERIES.expired(pool)]


async def free(pool: Pool, leases: Collection[Lease | LeasedDelivery]) -> int:
    """Give deliveries back that are leased by a dead worker, or by this one. Return their number."""
    count: int = await QUERIES.free(pool, **_columns(leases)) if leases else 0
    return count


async def follow_clock(pool: Pool) -> float | None:
    """Make deliveries due earlier if PostgreSQL's clock was set back. Return by how many seconds, or None."""
    step: float | None = await QUERIES.follow_clock(pool)
    return step


async def prune(pool: Pool, days: int) -> None:
    """Delete the deliveries that are older than `days`."""
    while await QUERIES.prune(pool, days=days, rows=PRUNED) == PRUNED:
        pass
    while await QUERIES.prune_left(pool, days=days + LONGER_DAYS, rows=PRUNED) == PRUNED:
        pass


def _columns(leases: Collection[Lease | LeasedDelivery]) -> dict[str, list[object]]:
    return {
        "account_ids": [lease.account_id for lease in leases],
        "webhook_ids": [lease.webhook_id for lease in leases],
        "numbers": [lease.number for lease in leases],
        "tokens": [lease.token for lease in leases],
    }
