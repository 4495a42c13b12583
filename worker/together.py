"""Apply several small jobs in one transaction, and end them in it, so that a job costs few round trips."""

import logging
import time
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from schemas.error_limit import Tally, excess_of
from schemas.ids import AccountId, JobId
from schemas.metrics import JOBS_ENDED, RETRIES, timed
from schemas.noted_metrics import count
from storage.context import Context
from storage.entities import upsert
from storage.failpoints import reach
from storage.pipeline import chunks, finish, results
from storage.pipeline.chunks import Claim, Progress
from storage.pipeline.finish import End
from storage.pipeline.results import Done
from storage.postgres.pool import Conn
from storage.postgres.transactions import transaction
from worker.apply import complete, count_applied
from worker.finish import announce, finish_if_last
from worker.job_spans import record_small_jobs, span_of_chunks
from worker.operations.base import Batch
from worker.operations.registry import TOGETHER_OPERATIONS, operation_of
from worker.prepare import prepare

logger = logging.getLogger(__name__)


class _LostClaim(Exception):
    """A chunk was taken over, done or cancelled, so the later ones of its stream must not be applied."""


class _Together(NamedTuple):
    """What one transaction has applied: the chunks, the jobs that have ended with it, and the other jobs."""

    done: Sequence[Done]
    ends: Sequence[End]
    left: Sequence[tuple[AccountId, JobId]]


def is_small(claim: Claim) -> bool:
    """Return whether a claim is a small job: the only chunk of a job that can end together with others.

    A job that had deaths or failures is applied alone, so that it cannot make other jobs fail.
    """
    return (
        claim.first_index == 0
        and claim.items == claim.total
        and not claim.deaths
        and not claim.failures
        and claim.operation in TOGETHER_OPERATIONS
    )


async def apply_together(ctx: Context, claims: Sequence[Claim]) -> bool:
    """Apply small chunks in the order of their claims, and end their jobs. COMMIT waits for the disk once.

    Returns False if nothing was applied, for any reason: the caller applies the chunks one by one, so that an
    error has its effect on one of them alone. This waits only shortly for locks, for the same reason.
    """
    began_at = time.time_ns()
    with span_of_chunks(claims) as span:
        together = await _try_together(ctx, claims)
        if together is None:
            span.fail("rolled back")
            return False
        record_small_jobs(together.done, together.ends, span, began_at=began_at)
        await _go_on(ctx, claims, together)
    return True


async def _try_together(ctx: Context, claims: Sequence[Claim]) -> _Together | None:
    """Apply the chunks in one transaction. Returns None after an error."""
    try:
        # one order of accounts for all workers, so that two of them do not deadlock; the order within an
        # account stays
        claims = sorted(claims, key=lambda claim: claim.account_id)
        with timed("prepare"):
            batches = [prepare(claim) for claim in claims]
        async with transaction(ctx.pool, durable=True, short_wait=True) as conn:
            if not await chunks.fence_all(conn, claims, keep_images=ctx.settings.keeps_images):
                raise _LostClaim
            done = await _apply(conn, claims, batches)
            with timed("record"):
                progress = await results.record_all(conn, done)
            to_end = [
                (claim.account_id, claim.job_id)
                for claim, after in zip(claims, progress, strict=True)
                if not _has_too_many_errors(ctx, claim, after)
            ]
            reach("apply.before_commit")
            ends = await finish.end_small(conn, to_end)
            ended = {end.job_id for end in ends}
            left = [(claim.account_id, claim.job_id) for claim in claims if claim.job_id not in ended]
            if left:  # cancelled, too many errors, or a dry run of its account has begun
                await finish.start(conn, left)
            reach("finish.before_commit")
            committing = time.perf_counter()
    except Exception as error:
        RETRIES.labels("together").inc()
        logger.debug("%d chunks are applied one by one: %s: %s", len(claims), type(error).__name__, error)
        return None
    reach("apply.after_commit")
    reach("finish.after_commit")
    count_applied(done, time.perf_counter() - committing)
    return _Together(done, ends, left)


async def _go_on(ctx: Context, claims: Sequence[Claim], together: _Together) -> None:
    """Do what follows the commit: announce the ends, and finish the jobs that have not ended."""
    if together.ends:
        _count_ends(claims, together.ends)
        await announce(ctx, together.ends, next_turns=0)  # this turn looks for the next jobs
    for account_id, job_id in together.left:
        await finish_if_last(ctx, account_id, job_id)


def _has_too_many_errors(ctx: Context, claim: Claim, after: Progress) -> bool:
    tally = Tally(after.errors, after.items, whole=True)
    most = ctx.settings.max_job_errors
    return excess_of(tally, max_errors=claim.params.max_errors, max_job_errors=most) is not None


def _count_ends(claims: Sequence[Claim], ends: Sequence[End]) -> None:
    operations = {claim.job_id: claim.operation for claim in claims}
    for end in ends:
        count(JOBS_ENDED, operations[end.job_id], end.state)


async def _apply(conn: Conn, claims: Sequence[Claim], batches: Sequence[Batch]) -> list[Done]:
    """Apply chunks in their order, those of one operation that follow each other at once."""
    done: list[Done] = []
    chunks_of = groupby(zip(claims, batches, strict=True), key=lambda chunk: chunk[0].operation)
    for operation, run in ((name, list(run)) for name, run in chunks_of):
        if done:  # otherwise the contacts of another account would be upserted once more, into this one
            await upsert.empty_stage(conn, run[0][0].job_id)
        applied = await operation_of(operation).apply_jobs(
            conn, [(claim, batch.items) for claim, batch in run]
        )
        for (claim, batch), effect in zip(run, applied, strict=True):
            done.append(complete(claim, batch, effect))
    reach("apply.after_upsert")
    return done
