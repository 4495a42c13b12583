"""Attempts at a step of a job. An error of ours delays the job; after MAX_FAILURES the rest of it fails.

Trouble of PostgreSQL or Redis is not an error of ours, so it is not counted. A lock in the way delays
the job; other trouble is raised.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from schemas.error_limit import Excess, Tally, excess_of
from schemas.ids import AccountId, JobId, show_job_id
from schemas.job_errors import JobErrorCode
from schemas.logs import about_job
from schemas.metrics import DEATHS, JOB_FAILURES, POSTPONED
from schemas.operations import JobParams
from schemas.traces import present
from storage.context import Context
from storage.pipeline import cancellation, failures
from storage.pipeline.leases import RENEW_SECONDS
from storage.pipeline.split import PartMissing
from storage.postgres.db_errors import BUSY, LOST_CONNECTION, SERVER_TROUBLE, is_ours
from storage.slots import Slot

logger = logging.getLogger(__name__)

T = TypeVar("T")
Step = Callable[[Context, AccountId, JobId], Awaitable[None]]

MAX_FAILURES = 5  # of splitting, finishing or dry-running a job, in a row: about 15 seconds


async def in_job_slot(ctx: Context, step: Step, account_id: AccountId, job_id: JobId) -> None:
    """Do a step of a single job in a slot for such steps. If it takes long, it leaves the slot and goes on.

    Does nothing while too many steps of the account take long. The reconciler rings again.
    """

    async def work(slot: Slot) -> None:
        if not ctx.job_slots.has_its_share(account_id):
            with slot.step(account_id):
                await step(ctx, account_id, job_id)

    await ctx.job_slots.run(work)


@asynccontextmanager
async def attempting(
    ctx: Context, account_id: AccountId, job_id: JobId, code: JobErrorCode
) -> AsyncIterator[None]:
    """Attempt a step of a job in the body. An error of ours delays the job and is not raised.

    `code` becomes the error of the job if the step fails repeatedly. A lock that another
    transaction holds postpones the job, so that jobs that wait for locks hide no others.
    """
    with about_job(account_id, job_id):
        try:
            yield
        except BUSY as error:
            await postpone(ctx, account_id, job_id, error)
        except Exception as error:
            if not is_ours(error):
                raise
            await count_failure(ctx, account_id, job_id, code, error)


@asynccontextmanager
async def releasing(
    ctx: Context, release: Callable[[], Awaitable[object]], *, what: str
) -> AsyncIterator[None]:
    """Release a lease if the body raises. The reconciler counts an expired lease as a failure of the job."""
    try:
        yield
    except asyncio.CancelledError:
        with suppress(*LOST_CONNECTION, *SERVER_TROUBLE, *BUSY):
            await asyncio.shield(release())
        raise
    except Exception:
        await patiently(ctx, release, what=what)
        raise


async def patiently(ctx: Context, release: Callable[[], Awaitable[T]], *, what: str) -> T:
    """Release a lease as soon as PostgreSQL responds. Returns what `release` returns."""
    while True:
        try:
            return await release()
        except (*LOST_CONNECTION, *SERVER_TROUBLE) as error:
            kind = f"{what} is not released before PostgreSQL responds"
            ctx.repeated.log(logging.WARNING, kind, "%s: %s", kind, error)
        await asyncio.sleep(RENEW_SECONDS)


async def count_failure(
    ctx: Context, account_id: AccountId, job_id: JobId, code: JobErrorCode, error: Exception
) -> None:
    """Delay a job after an error of ours. If it was one too many, the rest of the job fails with `code`."""
    failed = await delay(ctx, account_id, job_id, error)
    if isinstance(error, PartMissing):  # another attempt cannot find it
        await fail_rest(ctx, account_id, job_id, JobErrorCode.PARTS_MISSING)
    elif failed >= MAX_FAILURES:
        await fail_rest(ctx, account_id, job_id, code)


async def delay(ctx: Context, account_id: AccountId, job_id: JobId, error: Exception) -> int:
    """Log an error of ours and delay the job. Return the number of failures since the last success."""
    present().fail(type(error).__name__)
    kind = f"work on a job failed with {type(error).__name__}"
    text = "work on job %s failed and is tried again later: %s"
    ctx.repeated.log(logging.ERROR, kind, text, show_job_id(job_id), error, exc_info=error)
    JOB_FAILURES.inc()
    return await failures.count(ctx.pool, account_id, job_id)


async def postpone(ctx: Context, account_id: AccountId, job_id: JobId, error: Exception) -> None:
    """Delay a job without a failure, because PostgreSQL is busy: mostly, somebody else holds a lock."""
    present().fail(type(error).__name__)
    text = "work on job %s waits for a lock and is tried again later: %s"
    ctx.repeated.log(logging.WARNING, "work on a job waits for a lock", text, show_job_id(job_id), error)
    POSTPONED.inc()
    await failures.postpone(ctx.pool, account_id, job_id)


def log_death(ctx: Context, job_id: JobId, error: Exception) -> None:
    """Log an error that an item may have caused. Its chunk has counted a death."""
    present().fail(type(error).__name__)
    kind = f"a chunk failed with {type(error).__name__}"
    text = "a chunk of job %s failed and counts a death: %s"
    DEATHS.inc()
    ctx.repeated.log(logging.WARNING, kind, text, show_job_id(job_id), error, exc_info=error)


async def fail_rest(ctx: Context, account_id: AccountId, job_id: JobId, code: JobErrorCode) -> None:
    """Fail the rest of a job, and ring for its finish."""
    ctx.repeated.log(logging.ERROR, code, "the rest of job %s fails: %s", show_job_id(job_id), code)
    await cancellation.fail_rest(ctx.pool, account_id, job_id, code)
    await ctx.queue.ring_finish(account_id, job_id)


async def stop_if_too_many_errors(
    ctx: Context, account_id: AccountId, job_id: JobId, params: JobParams, tally: Tally
) -> bool:
    """Stop the rest of a job if too many of its items have failed. Return whether they have."""
    excess = excess_of(tally, max_errors=params.max_errors, max_job_errors=ctx.settings.max_job_errors)
    match excess:
        case None:
            return False
        case Excess(code=JobErrorCode.MAX_ERRORS_EXCEEDED):
            logger.info("the rest of job %s is cancelled: %s", show_job_id(job_id), excess.message)
            if await cancellation.cancel_rest(ctx.pool, account_id, job_id, *excess):
                await ctx.queue.ring_split(account_id, job_id)
            else:
                await ctx.queue.ring_finish(account_id, job_id)
        case _:
            await fail_rest(ctx, account_id, job_id, excess.code)
    ctx.announcer.change(account_id)
    return True
