"""Follow the changes of jobs as server-sent events, and resume after a cut."""

from collections.abc import Iterator

from bulklane._sync import io
from bulklane._sync.transport import Transport
from bulklane.calls import Call
from bulklane.errors import APIError, ConnectionLost
from bulklane.models import JobEvent
from bulklane.server_events import EventReader

SILENCE = 45.0  # seconds; the service sends a sign of life each 15


def events(transport: Transport, path: str, last_event_id: str | None) -> Iterator[JobEvent]:
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
            with transport.open(call) as response:
                if response.status_code == 204:
                    return
                for data in response.iter_bytes():
                    attempts = transport.attempts(repeatable=True)
                    for event in reader.feed(data):
                        yield event
                        if of_one_job and reader.ended:
                            return
        except (APIError, ConnectionLost) as error:
            transport.pause(error, attempts)
        else:
            io.sleep(reader.retry)  # the api has stopped: another one continues
