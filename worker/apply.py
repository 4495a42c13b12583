"""Apply one claimed chunk: effect, answers and the state of the chunk commit together, or not at all."""

import asyncio
import logging

from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import chunks
from storage.pipeline.chunks import Answer, Claim
from storage.postgres.pool import LOCKED_OUT
from worker.finish import finish_if_last
from worker.isolate import ROW_REJECTED, apply_isolated
from worker.operations.base import Applied, Batch
from worker.operations.registry import operation_of
from worker.prepare import prepare

logger = logging.getLogger(__name__)

FAILED = Answer(Outcome.FAILED)
TRIES = 5  # a deadlock through another unique key is over at the second try, nearly always


async def apply_chunk(ctx: Context, claim: Claim) -> bool:
    """Apply one claimed chunk; safe to run twice.

    True: other chunks of the job were waiting, so it was not looked whether this one was the last. They may
    have been applied before this one was committed: the caller has to look, when he is through.
    """
    batch = prepare(claim)
    others_wait = False
    for attempt in range(TRIES):
        try:
            others_wait = await _apply_once(ctx, claim, batch)
            break
        except LOCKED_OUT:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.01 * 2**attempt)  # let the other one through
    if not others_wait:  # also where the fence refused: heals a crash after COMMIT
        await finish_if_last(ctx, claim.account_id, claim.job_id)
    return others_wait


async def _apply_once(ctx: Context, claim: Claim, batch: Batch) -> bool:
    """In one transaction; if the database rejects a row, once more with the culprits isolated.

    True: other chunks of the job are waiting to be claimed.
    """
    try:
        return await _transact(ctx, claim, batch, isolated=False)
    except ROW_REJECTED as error:
        logger.info("a row of chunk %s of job %s is rejected: %s", claim.first_index, claim.job_id, error)
        return await _transact(ctx, claim, batch, isolated=True)


async def _transact(ctx: Context, claim: Claim, batch: Batch, *, isolated: bool) -> bool:
    operation = operation_of(claim.operation)
    async with ctx.pool.acquire() as conn, conn.transaction():
        if not await chunks.fence(conn, claim):  # done, cancelled or taken over
            return False
        if isolated:
            applied = await apply_isolated(conn, operation, claim, batch.items)
        else:
            applied = await operation.apply(conn, claim, batch.items)
        errors = batch.errors + [batch.error(index, fault) for index, fault in applied.faults.items()]
        return await chunks.record(conn, claim, answers_of(claim, applied), errors, applied.members)


def answers_of(claim: Claim, applied: Applied) -> list[Answer]:
    """The answer of every item of the chunk: whoever has none has failed."""
    get = applied.answers.get
    return [get(index, FAILED) for index in range(claim.first_index, claim.first_index + claim.items)]
