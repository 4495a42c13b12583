"""Cancel jobs: chunks that are not applied yet are cancelled, applied ones stay."""

import asyncio
from dataclasses import dataclass

from schemas.errors import Unavailable
from schemas.ids import AccountId, JobId
from schemas.states import JobState, Outcome
from storage.pipeline import turns, uploads
from storage.postgres.db_errors import LOCKED_OUT
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.templates import codes
from storage.postgres.transactions import transaction

QUERIES = load(__name__, codes(Outcome.CANCELLED))

PATIENCE_SECONDS = 10.0  # a splitter or the closing steps hold the job for a part, or for a thousand contacts
# `finish` locks the job before the turn, a cancellation the turn before the job. The short time-out ends such
# a deadlock before PostgreSQL detects it (after 1 s) and chooses the loser.
LOCK_JOB = "SET LOCAL lock_timeout = '200ms'"
LOCK_CHUNKS = "SET LOCAL lock_timeout TO DEFAULT"  # a chunk that is being applied may take seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a job stood when its cancellation was done, or was not needed any more."""

    state: JobState
    unsplit: bool


async def cancel(pool: Pool, account_id: AccountId, job_id: JobId) -> Standing | None:
    """Cancel what is left of a job; None: the account has no such job. Raises Unavailable.

    A job that has ended stays as it is. One that is still being received ends at once; any other is left to
    be ended by a worker, and one that is not split yet to be split.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    while clock() < until:
        row = await QUERIES.look(pool, account_id=account_id, id=job_id)
        if row is None:
            return None
        standing = Standing(state=JobState(row["state"]), unsplit=row["unsplit"])
        if standing.state.ended or not row["open"]:
            return standing
        try:
            async with transaction(pool) as conn:
                if standing.state is JobState.RECEIVING:
                    await _cancel_upload(conn, account_id, job_id)
                elif await _cancel_accepted(conn, account_id, job_id):
                    return standing
        except LOCKED_OUT:
            continue
    raise Unavailable("the job is locked by a worker: send the cancellation again")


async def cancel_chunks(conn: Conn, account_id: AccountId, job_id: JobId) -> None:
    """Cancel the chunks that are not applied yet, under a lock of the job."""
    await QUERIES.cancel_chunks(conn, account_id=account_id, id=job_id)


async def _cancel_upload(conn: Conn, account_id: AccountId, job_id: JobId) -> None:
    """By a lock of the job alone: accept has it locked when it asks for the turn."""
    if await QUERIES.cancel_upload(conn, account_id=account_id, id=job_id) is not None:
        await uploads.drop_parts(conn, account_id, job_id)


async def _cancel_accepted(conn: Conn, account_id: AccountId, job_id: JobId) -> bool:
    """Under the turn of the account, so that no claim is on its way; False: the job has ended meanwhile."""
    await turns.lock(conn, account_id)
    await conn.execute(LOCK_JOB)
    row = await QUERIES.request(conn, account_id=account_id, id=job_id)
    if row is None:
        return False
    if row["throttled"]:
        await turns.wake(conn, account_id)
    await conn.execute(LOCK_CHUNKS)
    await cancel_chunks(conn, account_id, job_id)
    return True
