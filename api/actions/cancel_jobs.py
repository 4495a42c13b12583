"""Cancel all jobs that match a filter."""

from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web

from api.actions.cancel_job import ring_ends
from api.actions.matching_jobs import Acting, jobs_to_cancel
from api.http.context import ACCOUNT, API, CALLER, scope
from schemas.errors import Unavailable
from schemas.ids import JobId
from schemas.states import JobState
from schemas.wire.job_actions import CancelledJobs, JobsAction
from storage.pipeline import cancellation
from storage.pipeline.cancellation import Standing
from storage.postgres.db_errors import LOCKED_OUT

BATCH_JOBS = 100  # in one transaction, which holds the turn of the account
RUNG_JOBS = 100  # bells are bounded: the reconciler rings for the other jobs


async def cancel_all(request: web.Request, action: JobsAction) -> CancelledJobs:
    """Cancel the jobs that match at this moment. Raises Conflict if they are not so many as expected."""
    api, account_id = request.app[API], request[ACCOUNT].id
    acting = await jobs_to_cancel(api.ctx.pool, account_id, action)
    if not action.preview:
        for first in range(0, len(acting.jobs), BATCH_JOBS):
            if not acting.goes_on():
                break
            stopped = await _cancel_batch(request, acting, acting.jobs[first : first + BATCH_JOBS])
            api.ctx.announcer.change(account_id)
            if len(acting.done) <= RUNG_JOBS:
                await ring_ends(api, account_id, stopped)
    return CancelledJobs(**acting.shown(action), cancelled=len(acting.done))


async def _cancel_batch(request: web.Request, acting: Acting, jobs: Sequence[JobId]) -> dict[JobId, Standing]:
    """Cancel the queued jobs at once, and then the others one by one: a worker may hold them for seconds."""
    (pool, account_id), caller = scope(request), request[CALLER]
    stopped: dict[JobId, Standing] = {}
    with suppress(*LOCKED_OUT):
        stopped = await cancellation.cancel_queued(pool, account_id, jobs, caller=caller)
    for job_id in stopped:
        acting.did(job_id)
    for job_id in jobs:
        if job_id in stopped:
            continue
        if not acting.goes_on():
            break
        try:
            standing = await cancellation.cancel(pool, account_id, job_id, caller=caller)
        except Unavailable as error:
            acting.skip(job_id, error.code)
            continue
        if standing is None:
            acting.skip(job_id, "unknown_job")
        elif standing.state.ended and standing.state is not JobState.CANCELLED:
            acting.skip(job_id, "job_ended")
        else:
            stopped[job_id] = standing
            acting.did(job_id)
    return stopped
