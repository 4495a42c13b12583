"""Retry all jobs that match a filter: a new job for each, from its failed items."""

from aiohttp import web

from api.accept.accept import new_job, ring_for
from api.accept.upload import accept_upload
from api.actions.matching_jobs import Acting, jobs_to_retry
from api.actions.retry_job import RetryRequest
from api.http.context import ACCOUNT, API, UNFINISHED, scope
from schemas.errors import Conflict, InvalidRequest, RateLimited
from schemas.ids import JobId, show_job_id
from schemas.wire.job_actions import JobsAction, RetriedJobs
from storage.pipeline import jobs, uploads
from storage.pipeline.uploads import ONLY_RETRY


async def retry_all(request: web.Request, action: JobsAction) -> RetriedJobs:
    """Retry the jobs that match at this moment, oldest first. Raises Conflict as `cancel_all`.

    A job that has a retry is not retried again, so a request that was cut may be sent again.
    """
    api = request.app[API]
    acting = await jobs_to_retry(api.ctx.pool, request[ACCOUNT].id, action)
    if not action.preview:
        room = api.ctx.settings.max_unfinished_jobs - request[UNFINISHED]
        for job_id in acting.jobs:
            if acting.stopped is None and len(acting.done) >= room:
                acting.stopped = "too_many_jobs"
            if not acting.goes_on():
                break
            await _retry(request, acting, job_id)
    return RetriedJobs(**acting.shown(action), retried=len(acting.done))


async def _retry(request: web.Request, acting: Acting, parent_id: JobId) -> None:
    key = ONLY_RETRY + show_job_id(parent_id)
    try:
        parent = await jobs.parent(*scope(request), parent_id)
        if parent is None:
            return acting.skip(parent_id, "unknown_job")
        retry = RetryRequest(request, parent)
        body = await retry.open()
        job = new_job(request, await retry.plan(), key, body.file_name)
        accepted = await accept_upload(retry.api, job, retry.parts(), body.fingerprint, arrived=True)
    except (Conflict, InvalidRequest) as error:  # of this job only: the others are retried
        return acting.skip(parent_id, await _why_not(request, key, error))
    except RateLimited as error:
        acting.stopped = error.code
        return None
    await ring_for(retry.api, accepted)
    return acting.did(job.id)


async def _why_not(request: web.Request, key: str, error: Conflict | InvalidRequest) -> str:
    """Return why a job is not retried. Another request that is making the retry has its key, too."""
    if error.code != "idempotency_in_progress":
        return error.code
    earlier = await uploads.by_idempotency_key(*scope(request), key)
    is_made = earlier is not None and earlier.request_hash is not None
    return "already_retried" if is_made else "retry_in_progress"
