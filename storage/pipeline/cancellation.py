"""Stop jobs: chunks that are not applied yet are cancelled, applied chunks stay.

A job is stopped by its client (`cancel`), by the limit of item errors that its client has set
(`cancel_rest`), or by an error of the job as a whole (`fail_rest`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from schemas.callers import Caller, stored_caller
from schemas.errors import Unavailable
from schemas.ids import AccountId, JobId
from schemas.job_errors import JobErrorCode
from schemas.metrics import JOBS_ENDED
from schemas.states import JobState, Outcome
from storage.failpoints import reach
from storage.pipeline import turns, uploads
from storage.postgres.db_errors import LOCKED_OUT
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.templates import codes
from storage.postgres.transactions import LONG_WAIT, transaction

QUERIES = load(__name__, codes(Outcome.CANCELLED))

PATIENCE_SECONDS = 10.0  # a splitter locks the job for one part, `settle` for some contacts
# `finish` locks the job before the turn; a cancellation locks the turn before the job. The short time-out
# ends such a deadlock before PostgreSQL detects it (after 1 s) and chooses a transaction to abort.
LOCK_JOB = "SET LOCAL lock_timeout = '200ms'"
LOCK_CHUNKS = LONG_WAIT  # applying a chunk may take seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The state of a job as `cancel` last read it. `unsplit`: parts are left to split."""

    state: JobState
    unsplit: bool


async def cancel(
    pool: Pool, account_id: AccountId, job_id: JobId, *, caller: Caller | None = None
) -> Standing | None:
    """Cancel the rest of a job, and record who has cancelled it, unless somebody had before.

    A job that has ended stays as it is. An upload ends at once. A worker ends any other job, after it has
    split the remaining parts. Returns None if the account has no such job. Raises Unavailable if the job
    stays locked.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    stored = stored_caller(caller)
    while clock() < until:
        row = await QUERIES.look(pool, account_id=account_id, id=job_id)
        if row is None:
            return None
        standing = Standing(state=JobState(row["state"]), unsplit=row["unsplit"])
        if standing.state.ended or not row["open"]:
            return standing
        try:
            async with transaction(pool) as conn:
                ended = None
                if standing.state is JobState.RECEIVING:
                    ended = await _cancel_upload(conn, account_id, job_id, stored)
                elif await _stop(conn, account_id, job_id, partial(QUERIES.request, caller=stored)):
                    return standing
            if ended is not None:
                JOBS_ENDED.labels(ended, JobState.CANCELLED).inc()
        except LOCKED_OUT:
            continue
    raise Unavailable("the job is locked by a worker: send the cancellation again")


async def cancel_queued(
    pool: Pool, account_id: AccountId, job_ids: Sequence[JobId], *, caller: Caller | None = None
) -> dict[JobId, Standing]:
    """Cancel those of the jobs that are queued and that nobody has locked. Return them; see `cancel`.

    Raises an error of LOCKED_OUT if the turn of the account stays locked.
    """
    async with transaction(pool) as conn:
        await turns.lock(conn, account_id)
        rows = await QUERIES.request_many(
            conn, account_id=account_id, ids=job_ids, caller=stored_caller(caller)
        )
        if any(row["throttled"] for row in rows):
            await turns.wake(conn, account_id)
        await conn.execute(LOCK_CHUNKS)
        for row in rows:
            await cancel_chunks(conn, account_id, row["id"])
        reach("cancel.before_commit")
    return {row["id"]: Standing(state=JobState.QUEUED, unsplit=row["unsplit"]) for row in rows}


async def fail_rest(pool: Pool, account_id: AccountId, job_id: JobId, code: JobErrorCode) -> None:
    """Fail a job as a whole: its chunks that are not applied yet are cancelled, its total is what was split.

    `finish` then ends it as `failed`, or as `cancelled` if its client has cancelled it before. The first
    error of a job stays; only FINISH_FAILED replaces it, because `finish` then leaves out what failed. Raises
    an error of LOCKED_OUT if the job is locked.
    """
    replace = code is JobErrorCode.FINISH_FAILED
    async with transaction(pool) as conn:
        await _stop(
            conn,
            account_id,
            job_id,
            partial(QUERIES.fail, error_code=code.value, error_message=code.message, replace=replace),
        )


async def cancel_rest(
    pool: Pool, account_id: AccountId, job_id: JobId, code: JobErrorCode, message: str
) -> bool:
    """Cancel the rest of a job for a reason, unless it was stopped before.

    As after `cancel`, a worker splits the remaining parts and ends the job, as `cancelled` with the reason.
    Returns whether parts are left to split. Raises an error of LOCKED_OUT if the job is locked.
    """
    stop = partial(QUERIES.stop, error_code=code.value, error_message=message)
    async with transaction(pool) as conn:
        await _stop(conn, account_id, job_id, stop)
    row = await QUERIES.look(pool, account_id=account_id, id=job_id)
    return row is not None and row["unsplit"]


async def cancel_chunks(conn: Conn, account_id: AccountId, job_id: JobId) -> None:
    """Cancel the chunks that are not applied yet. The caller has locked the job."""
    await QUERIES.cancel_chunks(conn, account_id=account_id, id=job_id)


async def _cancel_upload(conn: Conn, account_id: AccountId, job_id: JobId, stored: str | None) -> str | None:
    """Cancel an upload. Return its operation, or None if it has ended.

    Locks only the job, because `accept` locks the job before the turn.
    """
    operation: str | None = await QUERIES.cancel_upload(conn, account_id=account_id, id=job_id, caller=stored)
    if operation is not None:
        await uploads.drop_parts(conn, account_id, job_id)
    return operation


async def _stop(
    conn: Conn, account_id: AccountId, job_id: JobId, mark: Callable[..., Awaitable[Any]]
) -> bool:
    """Stop an accepted job, for the reason that the query `mark` records. Return False if it has ended.

    Locks the turn of the account first, so that no claim is in progress.
    """
    await turns.lock(conn, account_id)
    await conn.execute(LOCK_JOB)
    row = await mark(conn, account_id=account_id, id=job_id)
    if row is None:
        return False
    if row["throttled"]:
        await turns.wake(conn, account_id)
    await conn.execute(LOCK_CHUNKS)
    await cancel_chunks(conn, account_id, job_id)
    reach("cancel.before_commit")
    return True
