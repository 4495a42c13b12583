"""/v1/events and /v1/jobs/{id}/events: the changes of jobs as they happen, as server-sent events."""

from aiohttp import web

from api.actions.job_id import JOB, JobIdInPath
from api.endpoint import endpoint
from api.http.context import scope
from api.http.event_stream import stream_events, wanted_cursor
from api.openapi.describe import Response
from storage.pipeline import changes

STREAM = Response(text="The events.", also=("text/event-stream",))


@endpoint(responses={200: STREAM})
async def account_events(request: web.Request) -> web.StreamResponse:
    """Follow all jobs of the account, from now on or from the event that `Last-Event-ID` names.

    Each event is named `job`; its data is the job as in `GET /v1/jobs/{job_id}`, without its errors. A job
    has at most four events a second. The event `reset` says that the server does not know the id: list the
    jobs.
    """
    return await stream_events(request, wanted_cursor(request))


@endpoint(responses={200: STREAM, 204: Response(text="The job has ended, and the client knows it.")})
async def job_events(request: web.Request, job_id: JobIdInPath) -> web.StreamResponse:
    """Follow one job: its state at once, then each change, until it ends.

    With the `Last-Event-ID` of the end, the response is 204, which stops the `EventSource` of a browser.
    """
    after = wanted_cursor(request)
    now = JOB.found(request, await changes.of_job(*scope(request), job_id))
    if after and now.job.state.ended and now.cursor.includes(after) and after.covers(now.at, job_id):
        return web.Response(status=204)
    return await stream_events(request, after, job_id)
