"""/v1/events and /v1/jobs/{id}/events: the changes of jobs as they happen.

They are server-sent events (the HTML standard, section 9.2).
"""

from contextlib import suppress

from aiohttp import HttpVersion11, web

from api.actions.job_id import JOB, JobIdInPath
from api.endpoint import endpoint
from api.feeds.event_feed import Feeds, StaleCursor
from api.feeds.event_follower import Follower
from api.http.connections import CONNECTIONS
from api.http.context import ACCOUNT, API, CALLER, STREAMING, scope, stream_headers
from api.openapi.describe import Response
from schemas.errors import NotAcceptable
from schemas.ids import JobId
from schemas.wire.jobs import JobProgress
from storage.access.api_keys import KeyId
from storage.pipeline import changes
from storage.pipeline.changes import Cursor

RETRY_MILLISECONDS = 1_000  # after which a client whose stream was cut comes back, one more for each stream
RESET = b"event: reset\ndata: {}\n\n"
STREAM = Response(text="The events.", events=JobProgress)


@endpoint(responses={200: STREAM}, errors=(422,))
async def account_events(request: web.Request) -> web.StreamResponse:
    """Follow all jobs of the account, from now on or from the event that `Last-Event-ID` names.

    Each event is named `job`; its data is the job as in `GET /v1/jobs/{job_id}`, without its errors. A job
    has at most four events a second. The event `reset` says that the server does not know the id: list the
    jobs.
    """
    return await _stream(request, _wanted_cursor(request))


@endpoint(
    responses={200: STREAM, 204: Response(text="The job has ended, and the client knows it.")}, errors=(422,)
)
async def job_events(request: web.Request, job_id: JobIdInPath) -> web.StreamResponse:
    """Follow one job: its state at once, then each change, until it ends.

    With the `Last-Event-ID` of the end, the response is 204, which stops the `EventSource` of a browser.
    """
    after = _wanted_cursor(request)
    now = JOB.found(request, await changes.of_job(*scope(request), job_id))
    if after and now.job.state.ended and now.cursor.includes(after) and now.covered_by(after):
        return web.Response(status=204)
    return await _stream(request, after, job_id)


def _wanted_cursor(request: web.Request) -> Cursor | None:
    """Return the place from which the client wants to go on; None: it has none. Raises NotAcceptable."""
    text = request.headers.get("Last-Event-ID", "")
    cursor = Cursor.read(text) if text else None
    if text and cursor is None:
        raise NotAcceptable(
            "Last-Event-ID: is not the id of an event: send that of the last event, or leave the header out",
            param="Last-Event-ID",
        )
    return cursor


async def _stream(
    request: web.Request, after: Cursor | None, job_id: JobId | None = None
) -> web.StreamResponse:
    """Stream the events of all jobs of the account, or of one job until it ends."""
    feeds = request.app[API].feeds
    async with feeds.feed(request[ACCOUNT].id) as feed:
        try:
            start, reset = await feed.begin(after), b""
        except StaleCursor:
            after, start, reset = None, await feed.begin(None), RESET
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would hold events back
                **stream_headers(request),
            }
        )
        response.force_close()  # the connection is not aiohttp's any more
        chunked = request.version >= HttpVersion11
        if chunked:
            response.enable_chunked_encoding()
        request[STREAMING] = True
        await response.prepare(request)
        if request.method != "HEAD":
            with suppress(ConnectionError):  # the client has left
                await response.write(_head(feeds, start) + reset)
            follower = Follower(start, job_id, chunked=chunked, key=_key_of(request))
            connections = request.app[CONNECTIONS]
            if connections.hand_over(request.protocol, follower):
                follower.lost.append(connections.close)
                feed.add(follower, state=job_id is not None and after is None)
        return response


def _key_of(request: web.Request) -> KeyId | None:
    key_id = request[CALLER].key_id
    return (request[ACCOUNT].id, key_id) if key_id else None


def _head(feeds: Feeds, start: Cursor) -> bytes:
    """Return the begin of a stream: when to come back, and where, if it is cut before the first event.

    If the process dies, its clients do not come back all at once.
    """
    return f"retry: {RETRY_MILLISECONDS + feeds.streams}\nid: {start.show()}\n\n".encode()
