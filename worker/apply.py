"""Apply one claimed chunk: its effect, its results and its state are committed in one transaction."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from schemas.error_limit import Tally
from schemas.ids import show_job_id
from schemas.metrics import ITEMS_APPLIED, RETRIES, note_stage, timed
from schemas.noted_metrics import count
from schemas.states import Outcome
from storage.context import Context
from storage.failpoints import reach
from storage.pipeline import chunks, results
from storage.pipeline.chunks import Claim, Progress
from storage.pipeline.results import Done
from storage.postgres.db_errors import DEADLOCKED, LOCKED_OUT, ROW_REJECTED
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from worker.attempt import Step, stop_if_too_many_errors
from worker.finish import finish_if_last
from worker.job_spans import note_outcomes
from worker.operations.base import Applied, Batch
from worker.operations.isolate import apply_isolated
from worker.operations.registry import operation_of
from worker.prepare import prepare

logger = logging.getLogger(__name__)

TRIES = 5  # after a deadlock on another unique key, the second try nearly always succeeds


async def apply_chunk(
    ctx: Context, claim: Claim, *, short_wait: bool = False, finish: Step = finish_if_last
) -> Progress:
    """Apply one claimed chunk. Safe to run twice. With `short_wait`, it waits only shortly for locks.

    Calls `finish` if the job may be complete.
    """
    with timed("prepare"):
        batch = prepare(claim)
    progress = Progress()
    for attempt in range(TRIES):
        try:
            progress = await _apply_once(ctx, claim, batch, short_wait=short_wait)
            break
        except DEADLOCKED:
            if attempt == TRIES - 1:
                raise
            RETRIES.labels("deadlock").inc()
            await asyncio.sleep(0.01 * 2**attempt)  # lets the other transaction commit
    with suppress(*LOCKED_OUT):  # the next chunk with errors tries again, or the finish
        tally = Tally(progress.errors, progress.items)
        await stop_if_too_many_errors(ctx, claim.account_id, claim.job_id, claim.params, tally)
    if not progress.others_ready:  # also if the fence stopped the claim: repairs a crash after COMMIT
        await finish(ctx, claim.account_id, claim.job_id)
    return progress


async def _apply_once(ctx: Context, claim: Claim, batch: Batch, *, short_wait: bool) -> Progress:
    """Apply a chunk in one transaction. If the database rejects a row, isolate the bad rows in another."""
    try:
        return await _transact(ctx, claim, batch, isolated=False, short_wait=short_wait)
    except ROW_REJECTED as error:
        job = show_job_id(claim.job_id)
        RETRIES.labels("row_rejected").inc()
        logger.info("row of chunk %s of job %s was rejected: %s", claim.first_index, job, error)
        return await _transact(ctx, claim, batch, isolated=True, short_wait=short_wait)


async def _transact(
    ctx: Context, claim: Claim, batch: Batch, *, isolated: bool, short_wait: bool
) -> Progress:
    async with transaction(ctx.pool, short_wait=short_wait) as conn:
        if not await chunks.fence(
            conn, claim, keep_images=ctx.settings.keeps_images
        ):  # done, cancelled or taken over
            return Progress(applied=False)
        done = await _apply_in(conn, claim, batch, isolated=isolated)
        with timed("record"):
            progress = await results.record(conn, done)
        reach("apply.before_commit")
        committing = time.perf_counter()
    reach("apply.after_commit")
    note_outcomes(count_applied([done], time.perf_counter() - committing))
    ctx.announcer.change(claim.account_id)
    return progress


async def _apply_in(conn: Conn, claim: Claim, batch: Batch, *, isolated: bool) -> Done:
    operation = operation_of(claim.operation)
    if isolated:
        applied = await apply_isolated(conn, operation, claim, batch.items)
    else:
        applied = await operation.apply(conn, claim, batch.items)
    reach("apply.after_upsert")
    return complete(claim, batch, applied)


def complete(claim: Claim, batch: Batch, applied: Applied) -> Done:
    """Return a chunk with its results and all item errors."""
    errors = batch.errors + [batch.error(index, fault) for index, fault in applied.faults.items()]
    return Done(claim, applied.results, errors, applied.members)


def count_applied(done: Sequence[Done], commit_seconds: float) -> Mapping[Outcome, int]:
    """Count the items of committed chunks by outcome, without a step for each item. Return the counts."""
    note_stage("commit", commit_seconds)
    counts: Counter[Outcome] = Counter()
    for chunk in done:
        counts.update(chunk.results.counts(chunk.claim.items))
    for outcome, number in counts.items():
        count(ITEMS_APPLIED, outcome.word, by=number)
    return counts
