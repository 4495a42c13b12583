"""The finish of a job: one worker leases it, runs the closing step, sets the terminal state."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from schemas.error_limit import Excess, Tally
from schemas.ids import AccountId, JobId
from schemas.job_errors import JobErrorCode
from schemas.operations import JobParams, facts_of
from schemas.states import JobState, Outcome
from storage.entities import contacts
from storage.pipeline.chunks import Members
from storage.pipeline.failures import MOST_FAILURES
from storage.pipeline.leases import LEASE_SECONDS, new_token
from storage.pipeline.split import JOBS_A_ROUND
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.templates import codes

APPLIED = [outcome for outcome in Outcome if outcome is not Outcome.CANCELLED]
CANCELLED_TOGETHER = 200  # jobs that end in one transaction, which has their streams and turns locked
QUERIES = load(
    __name__,
    {
        "jobs_a_round": JOBS_A_ROUND,
        "cancelled_together": CANCELLED_TOGETHER,
        "most_failures": MOST_FAILURES,
        "max_errors_exceeded": JobErrorCode.MAX_ERRORS_EXCEEDED.value,
        **codes(*APPLIED),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finishing:
    """A job whose chunks are all applied or cancelled, with the data that its closing step needs."""

    account_id: AccountId
    job_id: JobId
    operation: str
    params: JobParams
    format: str
    layout: dict[str, Any] | None
    dry_run: bool
    overlaps: bool  # chunks that ran in parallel may name the same contact
    cancelled: bool  # some items were cancelled
    error_code: str | None  # the job failed as a whole, or was stopped by its limit of item errors
    tally: Tally
    token: int  # of the lease
    trace: str | None = None


class ExpiredFinish(NamedTuple):
    """A finish whose lease has expired, with the token and the end of the lease."""

    account_id: AccountId
    job_id: JobId
    token: int
    lease_until: datetime


class Freed(NamedTuple):
    """A finish that was freed, and the number of failures of its job."""

    account_id: AccountId
    job_id: JobId
    failures: int


class End(NamedTuple):
    """The terminal state of a job, and whether a dry run waits in its stream, and a delivery to a webhook."""

    account_id: AccountId
    job_id: JobId
    state: JobState
    dry_run_waits: bool
    webhook_waits: bool


async def claim(db: Pool, account_id: AccountId, job_id: JobId) -> Finishing | None:
    """Lease the finish of a job.

    Returns None if chunks are left, if the job has ended, if another worker has the lease or has left it to
    expire, or if an error of ours delays the job.
    """
    token = new_token()
    row = await QUERIES.claim(
        db,
        account_id=account_id,
        id=job_id,
        token=token,
        lease_seconds=LEASE_SECONDS,
    )
    if row is None:
        return None
    return Finishing(
        account_id=account_id,
        job_id=job_id,
        **facts_of(row["operation"], row["params"]),
        format=row["format"],
        layout=json.loads(row["layout"] or "null"),
        dry_run=row["dry_run"],
        overlaps=row["overlaps"],
        cancelled=row["cancelled"],
        error_code=row["error_code"],
        tally=Tally(row["errors"], row["counted_items"], whole=True),
        token=token,
        trace=row["trace"],
    )


async def stop(db: Pool, job: Finishing, excess: Excess) -> Finishing:
    """Record why a job is stopped, if this claim still holds its finish. Return the job with the reason."""
    await QUERIES.stop(
        db,
        account_id=job.account_id,
        id=job.job_id,
        token=job.token,
        error_code=excess.code.value,
        error_message=excess.message,
    )
    return replace(job, error_code=excess.code.value)


async def lock_finished(conn: Conn, job: Finishing) -> bool:
    """Lock a job to finish it. This is the fence of a finish.

    Returns False if the job has ended, if another worker has taken over its finish, or if it has failed as a
    whole since it was claimed.
    """
    locked = await QUERIES.lock_finished(
        conn, account_id=job.account_id, id=job.job_id, token=job.token, error_code=job.error_code
    )
    return locked is not None


async def renew(db: Conn | Pool, job: Finishing) -> None:
    """Renew the lease of the finish of a job."""
    await QUERIES.renew(
        db, account_id=job.account_id, id=job.job_id, token=job.token, lease_seconds=LEASE_SECONDS
    )


async def release(db: Conn | Pool, job: Finishing) -> None:
    """Release the finish of a job."""
    await QUERIES.release(db, account_id=job.account_id, id=job.job_id, token=job.token)


async def expired(db: Conn | Pool) -> list[ExpiredFinish]:
    """Return the finishes whose leases have expired."""
    return [ExpiredFinish(**row) for row in await QUERIES.expired(db)]


async def free(db: Conn | Pool, abandoned: Sequence[ExpiredFinish]) -> list[Freed]:
    """Release the finishes of dead workers; each counts a failure of its job, without a delay."""
    rows = await QUERIES.free(
        db,
        account_ids=[lease.account_id for lease in abandoned],
        ids=[lease.job_id for lease in abandoned],
        tokens=[lease.token for lease in abandoned],
        ends=[lease.lease_until for lease in abandoned],
    )
    return [Freed(**row) for row in rows]


async def end(conn: Conn, account_id: AccountId, job_id: JobId, members: Members) -> End | None:
    """Store the final counts, set the terminal state, and leave the stream and the turn.

    `members` counts the memberships that the closing step changed, in addition to those of the chunks.
    Returns None if the job has already ended.
    """
    row = await QUERIES.end(
        conn, account_id=account_id, id=job_id, added=members.added, removed=members.removed
    )
    if row is None:
        return None
    if row["failed"]:
        await QUERIES.merge_errors(conn, account_id=account_id, id=job_id)
    (left,) = await QUERIES.leave(
        conn,
        account_ids=[account_id],
        streams=[row["stream"]],
        positions=[row["position"]],
        recorded=contacts.STREAM,
    )
    return End(account_id, job_id, JobState(row["state"]), left["dry_run_waits"], left["webhook_waits"])


async def end_small(conn: Conn, jobs: Sequence[tuple[AccountId, JobId]]) -> list[End]:
    """End jobs of which each has one chunk, applied or cancelled, and delete their parts. Return their ends.

    A job that was stopped otherwise, or whose account has a dry run that is running, is left out: `claim`
    decides.
    """
    rows = await QUERIES.end_small(
        conn,
        account_ids=[account_id for account_id, _ in jobs],
        ids=[job_id for _, job_id in jobs],
        recorded=contacts.STREAM,
    )
    return [
        End(row["account_id"], row["id"], JobState(row["state"]), row["dry_run_waits"], row["webhook_waits"])
        for row in rows
    ]


async def end_cancelled(conn: Conn) -> list[End]:
    """End up to CANCELLED_TOGETHER cancelled jobs of which nothing was applied, as `end_small`."""
    rows = await QUERIES.cancelled_small(conn)
    return await end_small(conn, [(row["account_id"], row["id"]) for row in rows]) if rows else []


async def start(db: Conn | Pool, jobs: Sequence[tuple[AccountId, JobId]]) -> None:
    """Mark jobs as running that were claimed behind another one. `unended` finds none that is queued."""
    await QUERIES.start(
        db, account_ids=[account_id for account_id, _ in jobs], ids=[job_id for _, job_id in jobs]
    )


async def unended(db: Conn | Pool) -> list[tuple[AccountId, JobId]]:
    """Return the jobs whose chunks are all applied or cancelled and that no worker is finishing."""
    return [(row["account_id"], row["id"]) for row in await QUERIES.unended(db)]
