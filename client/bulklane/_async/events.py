"""Follow the changes of jobs as server-sent events, and resume after a cut."""

from collections.abc import AsyncIterator

from bulklane._async import io
from bulklane._async.transport import AsyncTransport
from bulklane.calls import Call
from bulklane.errors import APIError, ConnectionLost
from bulklane.models import JobEvent
from bulklane.server_events import EventReader

SILENCE = 45.0  # seconds; the service sends a sign of life each 15


async def events(transport: AsyncTransport, path: str, last_event_id: str | None) -> AsyncIterator[JobEvent]:
    """Yield events until the end of the job, or without an end for all jobs of an account.

    A stream that is cut is opened again where it was left. Raises APIError, or ConnectionLost after the
    attempts of the retry policy.
    """
    reader = EventReader(last_id=last_event_id)
    attempts = transport.attempts(repeatable=True)
    of_one_job = path != "/v1/events"
    while True:
        reader.cut()
        headers = {"Accept": "text/event-stream"}
        if reader.last_id:
            headers["Last-Event-ID"] = reader.last_id
        call = Call(method="GET", path=path, headers=headers, repeatable=True, seconds=SILENCE)
        try:
            async with transport.open(call) as response:
                if response.status_code == 204:
                    return
                async for data in response.aiter_bytes():
                    attempts = transport.attempts(repeatable=True)
                    for event in reader.feed(data):
                        yield event
                        if of_one_job and reader.ended:
                            return
        except (APIError, ConnectionLost) as error:
            await transport.pause(error, attempts)
        else:
            await io.sleep(reader.retry)  # the api has stopped: another one continues
