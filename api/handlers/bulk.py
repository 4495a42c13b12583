"""POST /v1/bulk/{operation}: the native entrance, for a body of any size."""

import logging

from aiohttp import web

from api.admit import admit
from api.context import API, Api
from api.parameters import read_parameters
from api.receive import Accepted, receive
from api.render import accepted_view, job_view
from api.request_keys import ACCOUNT
from api.wait import wait_for_end, wanted_wait
from schemas.errors import NotFound
from schemas.jobs import Job
from schemas.states import JobState, Operation
from storage import jobs
from storage.pool import LOST_CONNECTION

logger = logging.getLogger(__name__)


async def submit(request: web.Request) -> web.Response:
    """Accept a job: 202 and its id; with `Prefer: wait=S` 200 or 207 if it ends in time."""
    api = request.app[API]
    account = request[ACCOUNT]
    _known_operation(request.match_info["operation"])
    await admit(request, api.ctx, account)
    parameters = read_parameters(request.query)
    seconds = wanted_wait(request, account)
    accepted = await receive(request, api, account, parameters)
    try:
        job, state = await _follow(api, accepted, seconds)
    except LOST_CONNECTION as error:  # it is accepted all the same: a 503 would have it sent again
        logger.warning("accepted, not looked at: %s: %s", type(error).__name__, error)
        job, state = accepted_view(accepted), JobState.QUEUED
    return _answer(job, state, seconds)


async def _follow(api: Api, accepted: Accepted, seconds: float) -> tuple[Job, JobState]:
    """The job as it stands, after it has ended or the time is up."""
    account_id, job_id = accepted.job.account_id, accepted.job.id
    if seconds:
        await wait_for_end(api, account_id, job_id, seconds)
    (row,) = await jobs.views(api.ctx.pool, account_id, [job_id])
    return job_view(row), JobState(row["state"])


def _answer(job: Job, state: JobState, seconds: float) -> web.Response:
    headers = {"Location": f"/v1/jobs/{job.id}"}
    status = 202
    if seconds and state.ended:
        status = 207 if job.counts.failed else 200
        headers |= {"Preference-Applied": f"wait={seconds:g}", "Bulklane-Job": job.id}
    return web.Response(
        text=job.model_dump_json(), status=status, content_type="application/json", headers=headers
    )


def _known_operation(name: str) -> Operation:
    if name in list(Operation):
        return Operation(name)
    known = ", ".join(Operation)
    raise NotFound(f"{name!r} is not an operation; known are {known}", code="unknown_operation")
