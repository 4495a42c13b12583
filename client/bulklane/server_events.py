"""Read a stream of server-sent events (HTML standard, section 9.2). Pure: bytes in, events out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from bulklane.decode import decode
from bulklane.models import JobProgress

MOST_BYTES = 16 * 1024 * 1024  # of an event; the service sends at most some KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """A job after a change. `id` resumes a stream after this event.

    `kind` is "job", or "reset" without a `job`: the service cannot resume there. Read the jobs again.
    """

    id: str
    kind: str
    job: JobProgress | None


@dataclass(slots=True)
class EventReader:
    """Collects lines until an event is whole. `last_id` is where to resume, `retry` the seconds before.

    The id of an event that is not whole is not yet where to resume: the event would be lost.
    """

    last_id: str | None = None
    retry: float = 1.0
    ended: bool = False  # the last event of a single job has been read
    _buffer: bytes = b""
    _id: str | None = None  # of the event that is being read
    _kind: str = ""
    _data: str = ""

    def cut(self) -> None:
        """Forget what came of an event that is not whole: the connection has ended."""
        self._buffer, self._id, self._kind, self._data = b"", None, "", ""

    def feed(self, data: bytes) -> Iterator[JobEvent]:
        """Yield the events that are whole by now. Raises ValueError for what is no event of the service."""
        self._buffer += data
        if len(self._buffer) > MOST_BYTES:
            raise ValueError("the stream of events has a line of more than 16 MiB")
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            if event := self._line(line.removesuffix(b"\r").decode()):
                yield event

    def _line(self, line: str) -> JobEvent | None:
        if not line:
            return self._event()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._kind = value
            case "data":
                self._data += value
            case "id":
                self._id = value
            case "retry" if value.isdigit():
                self.retry = int(value) / 1000
        return None  # a comment, or a field of a later version

    def _event(self) -> JobEvent | None:
        kind, data = self._kind, self._data
        self._kind = self._data = ""
        if self._id is not None:
            self.last_id, self._id = self._id, None
        if kind not in {"job", "reset"}:
            return None
        job = decode(JobProgress, json.loads(data)) if kind == "job" else None
        self.ended = job is not None and job.ended
        return JobEvent(id=self.last_id or "", kind=kind, job=job)
