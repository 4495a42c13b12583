"""Rehearse dry runs: apply a whole job in one transaction, keep its answers, and roll the rest back.

A dry run waits for its place in the stream like any job. Then one worker applies all of its chunks, in order,
on one connection that never commits; the answers of each chunk are committed by another one. Nothing else of
the account is applied meanwhile, for the one transaction holds locks on all that it has touched.
"""

import asyncio
import logging
from contextlib import suppress

from storage.background import beside
from storage.context import Context
from storage.entities import upsert
from storage.pipeline import dry_runs
from storage.pipeline.chunks import Claim, Members
from storage.pipeline.dry_runs import DryRun
from storage.postgres.pool import LOCKED_OUT, LOST_CONNECTION, TROUBLE, Conn
from worker.apply import answers_of
from worker.finish import announce, end_job, finish_if_last
from worker.isolate import apply_isolated
from worker.operations.base import OperationModule
from worker.operations.registry import operation_of
from worker.prepare import prepare

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0  # a look all the same, should a doorbell be lost
DRAINED_SECONDS = 0.05  # between two looks whether the last chunks of the account are applied


async def dry_run_forever(ctx: Context, bell: asyncio.Event) -> None:
    """Rehearse one dry run after the other, whenever the bell rings, until cancelled; no error ends it."""
    while True:
        bell.clear()
        try:
            while await dry_run_next(ctx):
                pass
        except Exception as error:
            logger.warning("rehearse: %s: %s; trying again", type(error).__name__, error, exc_info=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):  # wait_for may lose a cancellation, until Python 3.12
                await bell.wait()


async def dry_run_next(ctx: Context) -> bool:
    """Rehearse the dry run that has waited longest; False: there is none."""
    dry_run = await dry_runs.claim(ctx.pool)
    if dry_run is None:
        return False
    try:
        async with beside(_renew_forever(ctx, dry_run)):
            members = await _apply_all(ctx, dry_run)
        ended = members is not None and await _end(ctx, dry_run, members)
    except (Exception, asyncio.CancelledError) as error:
        innocent = isinstance(error, (asyncio.CancelledError, *LOST_CONNECTION, *LOCKED_OUT, *TROUBLE))
        await asyncio.shield(_release(ctx, dry_run, blame=not innocent))
        raise
    if not ended:
        await _release(ctx, dry_run, blame=False)
        await finish_if_last(ctx, dry_run.account_id, dry_run.job_id)  # it was cancelled
    return True


async def _apply_all(ctx: Context, dry_run: DryRun) -> Members | None:
    """Apply all chunks and the closing step, and roll back: what the closing step would change.

    None: the job was cancelled meanwhile, or another attempt has begun.
    """
    while await dry_runs.in_flight(ctx.pool, dry_run.account_id):  # noqa: ASYNC110 - in other processes
        await asyncio.sleep(DRAINED_SECONDS)
    operation = operation_of(dry_run.operation)
    async with ctx.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            after = -1
            while chunk := await dry_runs.next_chunk(ctx.pool, dry_run, after):
                if not await _apply_chunk(ctx, conn, operation, chunk):
                    return None
                after = chunk.first_index
            await conn.execute("SET LOCAL statement_timeout = 0")  # as for the closing step of any job
            await conn.execute("SET LOCAL statement_timeout = 0")  # it may be about millions of members
            return await operation.close(conn, dry_run)
        finally:
            with suppress(*LOST_CONNECTION):
                await transaction.rollback()


async def _apply_chunk(ctx: Context, conn: Conn, operation: OperationModule, chunk: Claim) -> bool:
    """Apply a chunk on the connection that never commits, and commit its answers on another."""
    batch = prepare(chunk)
    await upsert.truncate_stage(conn)  # outside of savepoints, where it gives the space back at once
    applied = await apply_isolated(conn, operation, chunk, batch.items)
    errors = batch.errors + [batch.error(index, fault) for index, fault in applied.faults.items()]
    return await dry_runs.record(ctx.pool, chunk, answers_of(chunk, applied), errors, applied.members)


async def _end(ctx: Context, dry_run: DryRun, members: Members) -> bool:
    """End the job; False: it is cancelled, or another attempt has begun."""
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL synchronous_commit = on")
        if not await dry_runs.lock_complete(conn, dry_run):
            return False
        await dry_runs.conclude(conn, dry_run.account_id, dry_run.job_id)
        end = await end_job(conn, dry_run.account_id, dry_run.job_id, members)
    await announce(ctx, dry_run.job_id, end)
    return True


async def _release(ctx: Context, dry_run: DryRun, *, blame: bool) -> None:
    try:
        await dry_runs.release(ctx.pool, dry_run, blame=blame)
    except LOST_CONNECTION:
        logger.warning("dry run %s is not given back: the lease will run out", dry_run.job_id)


async def _renew_forever(ctx: Context, dry_run: DryRun) -> None:
    while True:
        await asyncio.sleep(dry_runs.RENEW_SECONDS)
        try:
            await dry_runs.renew(ctx.pool, dry_run)
        except Exception as error:
            logger.warning("rehearsal not renewed: %s: %s", type(error).__name__, error)
