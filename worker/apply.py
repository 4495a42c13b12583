"""Apply one claimed chunk: its effect, its results and its state commit together, or not at all."""

import asyncio
import logging

from schemas.item_errors import ItemError
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import chunks
from storage.pipeline.chunks import Claim
from storage.pipeline.results import ItemResult
from storage.postgres.db_errors import LOCKED_OUT, ROW_REJECTED
from storage.postgres.transactions import transaction
from worker.finish import finish_if_last
from worker.isolate import apply_isolated
from worker.operations.base import Applied, Batch
from worker.operations.registry import operation_of
from worker.prepare import prepare

logger = logging.getLogger(__name__)

FAILED = ItemResult(Outcome.FAILED)
TRIES = 5  # a deadlock through another unique key nearly always succeeds at the second try


async def apply_chunk(ctx: Context, claim: Claim) -> bool:
    """Apply one claimed chunk; safe to run twice.

    True: other chunks of the job were ready, so the finish of the job was not tried. They may have been
    applied before this one was committed: the caller must call `finish_if_last` when its turn is over.
    """
    batch = prepare(claim)
    others_ready = False
    for attempt in range(TRIES):
        try:
            others_ready = await _apply_once(ctx, claim, batch)
            break
        except LOCKED_OUT:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.01 * 2**attempt)  # the other transaction commits meanwhile
    if not others_ready:  # also where the fence refused: repairs a crash after COMMIT
        await finish_if_last(ctx, claim.account_id, claim.job_id)
    return others_ready


async def _apply_once(ctx: Context, claim: Claim, batch: Batch) -> bool:
    """Apply in one transaction; if the database rejects a row, in another one that isolates the bad rows.

    True: other chunks of the job are ready to be claimed.
    """
    try:
        return await _transact(ctx, claim, batch, isolated=False)
    except ROW_REJECTED as error:
        logger.info("a row of chunk %s of job %s is rejected: %s", claim.first_index, claim.job_id, error)
        return await _transact(ctx, claim, batch, isolated=True)


async def _transact(ctx: Context, claim: Claim, batch: Batch, *, isolated: bool) -> bool:
    operation = operation_of(claim.operation)
    async with transaction(ctx.pool) as conn:
        if not await chunks.fence(conn, claim):  # done, cancelled or taken over
            return False
        if isolated:
            applied = await apply_isolated(conn, operation, claim, batch.items)
        else:
            applied = await operation.apply(conn, claim, batch.items)
        results, errors = tell(claim, batch, applied)
        return await chunks.record(conn, claim, results, errors, applied.members)


def tell(claim: Claim, batch: Batch, applied: Applied) -> tuple[list[ItemResult], list[ItemError]]:
    """The result of every item of the chunk, and the item errors; an item without a result has failed."""
    get = applied.results.get
    results = [get(index, FAILED) for index in range(claim.first_index, claim.first_index + claim.items)]
    return results, batch.errors + [batch.error(index, fault) for index, fault in applied.faults.items()]
