"""Dry runs: apply a whole job in one transaction, keep its results, roll back its changes.

A dry run waits for its place in the stream like any job. Then one worker applies all its chunks, in order, on
one connection that never commits. Another connection commits the results of each chunk. Nothing else of the
account is applied at the same time, because the transaction holds locks on everything that it changed.
"""

import asyncio
import logging
from functools import partial
from typing import Any

from schemas.error_limit import Tally
from schemas.ids import show_job_id
from schemas.job_errors import JobErrorCode
from schemas.logs import about_job
from schemas.metrics import JOBS_ENDED
from storage.background import repeat
from storage.context import Context
from storage.entities import upsert
from storage.failpoints import reach
from storage.pipeline import dry_runs, finish, results
from storage.pipeline.chunks import Claim, Members
from storage.pipeline.dry_runs import DryRun, DueDryRun
from storage.pipeline.leases import Watch, renewing
from storage.postgres.db_errors import LOST_CONNECTION, blames_work, is_ours
from storage.postgres.pool import Conn
from storage.postgres.transactions import rolled_back, transaction, without_time_limit
from worker.apply import complete
from worker.attempt import (
    MAX_FAILURES,
    count_failure,
    fail_rest,
    log_death,
    patiently,
    stop_if_too_many_errors,
)
from worker.finish import announce, drop_parts, finish_if_last
from worker.job_spans import DRY_RUN, note_end, span_of_job
from worker.operations.base import Applied, Batch
from worker.operations.isolate import apply_isolated
from worker.operations.registry import operation_of
from worker.prepare import prepare

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0  # maximum delay of a dry run by a lost bell
DRAINED_SECONDS = 0.05  # between checks whether the account's chunks in flight are applied


async def dry_run_forever(ctx: Context, bell: asyncio.Event) -> None:
    """Run all dry runs that are due when the bell rings, and every EVERY_SECONDS, until cancelled."""
    watch: Watch[DueDryRun] = Watch()

    async def run_all_due() -> None:
        while await dry_run_next(ctx, watch):
            pass

    await repeat(EVERY_SECONDS, run_all_due, what="dry run", bell=bell)


async def dry_run_next(ctx: Context, watch: Watch[DueDryRun] | None = None) -> bool:
    """Run the dry run that has waited longest. Return False if there is none.

    `watch` is that of `dry_runs.claim`. An error of ours delays the job, or counts as a death of the chunk at
    which it occurred.
    """
    dry_run = await dry_runs.claim(ctx.pool, watch)
    if dry_run is None:
        return False
    with about_job(dry_run.account_id, dry_run.job_id), span_of_job(DRY_RUN, dry_run):
        await _run(ctx, dry_run)
    return True


async def _run(ctx: Context, dry_run: DryRun) -> None:
    if dry_run.failures >= MAX_FAILURES:
        await _give_up(ctx, dry_run)
        return
    try:
        async with renewing(partial(dry_runs.renew, ctx.pool, dry_run), what="the lease of a dry run"):
            members = await _apply_all(ctx, dry_run)
        ended = members is not None and await _end(ctx, dry_run, members)
    except asyncio.CancelledError:
        await asyncio.shield(_release(ctx, dry_run))
        raise
    except Exception as error:
        await _handle(ctx, dry_run, error)
        return
    if not ended:
        await _release(ctx, dry_run)
        await finish_if_last(ctx, dry_run.account_id, dry_run.job_id)  # ends a dry run that was stopped


async def _apply_all(ctx: Context, dry_run: DryRun) -> Members | None:
    """Apply all chunks and the closing step, and roll back.

    Returns the number of memberships that the closing step would change, or None if the job was cancelled or
    another attempt has begun.
    """
    while await dry_runs.in_flight(ctx.pool, dry_run.account_id):  # noqa: ASYNC110 - in other processes
        await asyncio.sleep(DRAINED_SECONDS)
    async with rolled_back(ctx.pool) as conn:
        if not await _apply_chunks(ctx, conn, dry_run):
            return None
        async with without_time_limit(conn):  # a closing step may change millions of members
            return await operation_of(dry_run.operation).close(conn, dry_run)


async def _apply_chunks(ctx: Context, conn: Conn, dry_run: DryRun) -> bool:
    """Apply all chunks in order. Return False if the job was cancelled or another attempt has begun.

    While PostgreSQL applies a chunk, the next one is prepared and the results of the one before are recorded.
    If the worker dies meanwhile, the wrong one may be blamed, so nothing overlaps in a `careful` attempt.
    """
    recording: asyncio.Task[bool] | None = None
    preparing = asyncio.create_task(_prepare_next(ctx, dry_run, after=-1))
    try:
        while (prepared := await preparing) is not None:
            chunk, batch = prepared
            if not dry_run.careful:
                preparing = asyncio.create_task(_prepare_next(ctx, dry_run, after=chunk.first_index))
            applied = await _apply_chunk(conn, chunk, batch)
            if recording is not None and not await recording:
                return False
            recording = asyncio.create_task(_record(ctx, chunk, batch, applied))
            if dry_run.careful:
                await asyncio.wait({recording})
                preparing = asyncio.create_task(_prepare_next(ctx, dry_run, after=chunk.first_index))
        return recording is None or await recording
    finally:
        await _stop(preparing, recording)


async def _prepare_next(ctx: Context, dry_run: DryRun, *, after: int) -> tuple[Claim, Batch] | None:
    chunk = await dry_runs.next_chunk(ctx.pool, dry_run, after)
    return (chunk, prepare(chunk)) if chunk else None


async def _apply_chunk(conn: Conn, chunk: Claim, batch: Batch) -> Applied:
    """Apply a chunk on the connection that never commits."""
    await upsert.truncate_stage(conn)  # outside of savepoints, to free the space at once
    return await apply_isolated(conn, operation_of(chunk.operation), chunk, batch.items)


async def _record(ctx: Context, chunk: Claim, batch: Batch, applied: Applied) -> bool:
    """Commit the results of a chunk on another connection.

    Returns False if the job was cancelled, has too many item errors, or another attempt has begun.
    """
    progress = await dry_runs.record(ctx.pool, complete(chunk, batch, applied))
    reach("dry_run.recorded")
    ctx.announcer.change(chunk.account_id)
    if progress is None:
        return False
    tally = Tally(progress.errors, progress.items)
    return not await stop_if_too_many_errors(ctx, chunk.account_id, chunk.job_id, chunk.params, tally)


async def _stop(preparing: "asyncio.Task[Any]", recording: "asyncio.Task[bool] | None") -> None:
    """Stop to prepare. Wait until results are recorded: the chunk without results is blamed for an error."""
    preparing.cancel()
    tasks = {preparing} if recording is None else {preparing, recording}
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not log it: another error, or the end, came first


async def _end(ctx: Context, dry_run: DryRun, members: Members) -> bool:
    """End the job. Return False if it is cancelled, too many items failed, or another attempt has begun."""
    tally = (await results.tally(ctx.pool, dry_run.account_id, dry_run.job_id))._replace(whole=True)
    if await stop_if_too_many_errors(ctx, dry_run.account_id, dry_run.job_id, dry_run.params, tally):
        return False
    async with transaction(ctx.pool, durable=True) as conn:
        if not await dry_runs.lock_complete(conn, dry_run):
            return False
        await dry_runs.correct_results(conn, dry_run.account_id, dry_run.job_id)
        end = await finish.end(conn, dry_run.account_id, dry_run.job_id, members)
    if end:
        JOBS_ENDED.labels(dry_run.operation, end.state).inc()
        note_end(end.state)
        await announce(ctx, [end], next_turns=ctx.settings.parallel)
        await drop_parts(ctx, end)
    return True


async def _give_up(ctx: Context, dry_run: DryRun) -> None:
    """End a dry run that has killed too many workers after its last chunk."""
    await _release(ctx, dry_run)
    await fail_rest(ctx, dry_run.account_id, dry_run.job_id, JobErrorCode.DRY_RUN_FAILED)
    await finish_if_last(ctx, dry_run.account_id, dry_run.job_id)


async def _handle(ctx: Context, dry_run: DryRun, error: Exception) -> None:
    """Release a dry run after an error. Raise the error if PostgreSQL is in trouble."""
    release = partial(dry_runs.release, ctx.pool, dry_run, blame=blames_work(error))
    blamed = await patiently(ctx, release, what="a dry run")
    if not is_ours(error):
        raise error
    if blamed:
        log_death(ctx, dry_run.job_id, error)
    else:
        code = JobErrorCode.DRY_RUN_FAILED
        await count_failure(ctx, dry_run.account_id, dry_run.job_id, code, error)


async def _release(ctx: Context, dry_run: DryRun) -> None:
    try:
        await dry_runs.release(ctx.pool, dry_run, blame=False)
    except LOST_CONNECTION:
        logger.warning("dry run %s is not released: its lease will expire", show_job_id(dry_run.job_id))
