"""Server-sent events (the HTML standard, section 9.2): how a client reads the changes of jobs."""

from contextlib import aclosing, suppress

from aiohttp import web

from api.http.context import ACCOUNT, API, STREAMING, stream_headers
from api.http.event_feed import EventBatch, Feed, StaleCursor
from schemas.errors import NotAcceptable
from schemas.ids import JobId
from storage.pipeline.changes import Cursor

RETRY_MILLISECONDS = 1_000  # after which a client whose stream was cut comes back
HEARTBEAT = b":\n\n"
RESET = b"event: reset\ndata: {}\n\n"


def wanted_cursor(request: web.Request) -> Cursor | None:
    """Return the place from which the client wants to go on; None: it has none. Raises NotAcceptable."""
    text = request.headers.get("Last-Event-ID", "")
    cursor = Cursor.read(text) if text else None
    if text and cursor is None:
        raise NotAcceptable(
            "Last-Event-ID: is not the id of an event: send that of the last event, or leave the header out",
            param="Last-Event-ID",
        )
    return cursor


async def stream_events(
    request: web.Request, after: Cursor | None, job_id: JobId | None = None
) -> web.StreamResponse:
    """Stream the events of all jobs of the account, or of one job until it ends."""
    async with request.app[API].feeds.feed(request[ACCOUNT].id) as feed:
        try:
            return await _stream(request, feed, after, job_id)
        except StaleCursor:
            return await _stream(request, feed, None, job_id, first=RESET)


async def _stream(
    request: web.Request, feed: Feed, after: Cursor | None, job_id: JobId | None, *, first: bytes = b""
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",  # nginx would hold events back
            **stream_headers(request),
        }
    )
    async with aclosing(feed.follow(after, job_id)) as batches:
        batch = await anext(batches)
        request[STREAMING] = True
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        with suppress(ConnectionError):  # the client has left
            await response.write(_head(batch) + first + _text(batch))
            while not (job_id and batch.events and batch.events[-1].ended):
                if (following := await anext(batches, None)) is None:
                    break
                batch = following
                await response.write(_text(batch) or HEARTBEAT)
            await response.write_eof()
    return response


def _head(start: EventBatch) -> bytes:
    """Return the begin of a stream: when to come back, and where, if it is cut before the first event."""
    place = f"id: {start.start.show()}\n" if start.start else ""
    return f"retry: {RETRY_MILLISECONDS}\n{place}\n".encode()


def _text(batch: EventBatch) -> bytes:
    return b"".join(event.text for event in batch.events)
