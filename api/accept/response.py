"""The response to a bulk request: 202 and the job, or the result of a job that ended in time."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import BaseModel

from api.accept.upload import Accepted
from api.http.context import ACCOUNT, API, Api
from api.http.job_view import accepted_view, job_view
from schemas.ids import show_job_id
from schemas.states import JobState
from storage.entities.accounts import Account
from storage.pipeline import jobs
from storage.pipeline.jobs import JobRow
from storage.postgres.db_errors import LOST_CONNECTION

logger = logging.getLogger(__name__)

ResultBody = Callable[[Api, Account, JobRow], Awaitable[BaseModel]]  # of an ended job


async def respond(
    request: web.Request, accepted: Accepted, seconds: float, result: ResultBody | None = None
) -> web.Response:
    """Respond with 202, or with 200 (207: an item failed) and the result if the job ends in time."""
    headers = {"Location": f"/v1/jobs/{show_job_id(accepted.id)}"}
    if accepted.job is None:
        headers["Idempotent-Replayed"] = "true"
    status, body = await _look(request, accepted, seconds, result)
    if status != 202:
        headers |= {"Preference-Applied": f"wait={seconds:g}", "Bulklane-Job": show_job_id(accepted.id)}
    text = body.model_dump_json(exclude_unset=result is not None)
    return web.Response(text=text, status=status, content_type="application/json", headers=headers)


async def _look(
    request: web.Request, accepted: Accepted, seconds: float, result: ResultBody | None
) -> tuple[int, BaseModel]:
    """Status and body, after the job has ended or the time is up."""
    api, account = request.app[API], request[ACCOUNT]
    try:
        if seconds:
            await api.ended.wait(account.id, accepted.id, seconds)
        (job,) = await jobs.views(api.ctx.pool, account.id, [accepted.id])
        if seconds and job.state in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS):
            status = 207 if job.failed else 200
            return status, job_view(job) if result is None else await result(api, account, job)
        return 202, job_view(job)
    except LOST_CONNECTION as error:
        if accepted.job is None:
            raise
        # the job is accepted: after a 503 the client would send it again
        logger.warning("job accepted, its state could not be read: %s: %s", type(error).__name__, error)
        return 202, accepted_view(accepted.job, accepted.total)
