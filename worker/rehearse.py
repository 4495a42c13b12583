"""Rehearse dry runs: apply a whole job in one transaction, keep its answers, and roll the rest back.

A dry run waits for its place in the stream like any job. Then one worker applies all of its chunks, in order,
on one connection that never commits; the answers of each chunk are committed by another one. Nothing else of
the account is applied meanwhile, for the one transaction holds locks on all that it has touched.
"""

import asyncio
import logging
from contextlib import suppress

from storage import contacts, rehearsals
from storage.background import beside
from storage.chunks import Claim, Members
from storage.context import Context
from storage.pool import LOCKED_OUT, LOST_CONNECTION, TROUBLE, Conn
from storage.rehearsals import Rehearsal
from worker.apply import answers_of
from worker.finish import announce, end_job, finish_if_last
from worker.isolate import apply_isolated
from worker.operations import OperationModule, operation_of
from worker.prepare import prepare

logger = logging.getLogger(__name__)

EVERY_SECONDS = 2.0  # a look all the same, should a doorbell be lost
DRAINED_SECONDS = 0.05  # between two looks whether the last chunks of the account are applied


async def rehearse_forever(ctx: Context, bell: asyncio.Event) -> None:
    """Rehearse one dry run after the other, whenever the bell rings, until cancelled; no error ends it."""
    while True:
        bell.clear()
        try:
            while await rehearse_next(ctx):
                pass
        except Exception as error:
            logger.warning("rehearse: %s: %s; trying again", type(error).__name__, error, exc_info=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):  # wait_for may lose a cancellation, until Python 3.12
                await bell.wait()


async def rehearse_next(ctx: Context) -> bool:
    """Rehearse the dry run that has waited longest; False: there is none."""
    rehearsal = await rehearsals.claim(ctx.pool)
    if rehearsal is None:
        return False
    try:
        async with beside(_renew_forever(ctx, rehearsal)):
            members = await _rehearse(ctx, rehearsal)
        ended = members is not None and await _end(ctx, rehearsal, members)
    except (Exception, asyncio.CancelledError) as error:
        innocent = isinstance(error, (asyncio.CancelledError, *LOST_CONNECTION, *LOCKED_OUT, *TROUBLE))
        await asyncio.shield(_release(ctx, rehearsal, blame=not innocent))
        raise
    if not ended:
        await _release(ctx, rehearsal, blame=False)
        await finish_if_last(ctx, rehearsal.account_id, rehearsal.job_id)  # it was cancelled
    return True


async def _rehearse(ctx: Context, rehearsal: Rehearsal) -> Members | None:
    """Apply all chunks and the closing step, and roll back: what the closing step would change.

    None: the job was cancelled meanwhile, or another attempt has begun.
    """
    while await rehearsals.in_flight(ctx.pool, rehearsal.account_id):  # noqa: ASYNC110 - in other processes
        await asyncio.sleep(DRAINED_SECONDS)
    operation = operation_of(rehearsal.operation)
    async with ctx.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            after = -1
            while chunk := await rehearsals.next_chunk(ctx.pool, rehearsal, after):
                if not await _rehearse_chunk(ctx, conn, operation, chunk):
                    return None
                after = chunk.first_index
            await conn.execute("SET LOCAL statement_timeout = 0")  # as for the closing step of any job
            await conn.execute("SET LOCAL statement_timeout = 0")  # it may be about millions of members
            return await operation.close(conn, rehearsal)
        finally:
            with suppress(*LOST_CONNECTION):
                await transaction.rollback()


async def _rehearse_chunk(ctx: Context, conn: Conn, operation: OperationModule, chunk: Claim) -> bool:
    """Apply a chunk on the connection that never commits, and commit its answers on another."""
    batch = prepare(chunk)
    await contacts.truncate_stage(conn)  # outside of savepoints, where it gives the space back at once
    applied = await apply_isolated(conn, operation, chunk, batch.items)
    errors = batch.errors + [batch.error(index, fault) for index, fault in applied.faults.items()]
    return await rehearsals.record(ctx.pool, chunk, answers_of(chunk, applied), errors, applied.members)


async def _end(ctx: Context, rehearsal: Rehearsal, members: Members) -> bool:
    """End the job; False: it is cancelled, or another attempt has begun."""
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL synchronous_commit = on")
        if not await rehearsals.lock_complete(conn, rehearsal):
            return False
        await rehearsals.conclude(conn, rehearsal.account_id, rehearsal.job_id)
        end = await end_job(conn, rehearsal.account_id, rehearsal.job_id, members)
    await announce(ctx, rehearsal.job_id, end)
    return True


async def _release(ctx: Context, rehearsal: Rehearsal, *, blame: bool) -> None:
    try:
        await rehearsals.release(ctx.pool, rehearsal, blame=blame)
    except LOST_CONNECTION:
        logger.warning("dry run %s is not given back: the lease will run out", rehearsal.job_id)


async def _renew_forever(ctx: Context, rehearsal: Rehearsal) -> None:
    while True:
        await asyncio.sleep(rehearsals.RENEW_SECONDS)
        try:
            await rehearsals.renew(ctx.pool, rehearsal)
        except Exception as error:
            logger.warning("rehearsal not renewed: %s: %s", type(error).__name__, error)
