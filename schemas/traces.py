"""Spans: what a process notes of its work for a trace. Off until `storage.telemetry` sets a recorder.

No attribute has a value of a contact. An error is named by its type, because its text can repeat what a
client sent. While traces are off, nothing of OpenTelemetry is imported, and every span is the same object.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol, Self

from schemas.trace_context import TracePlace, read_place

Kind = Literal["internal", "server", "client", "consumer"]
Attributes = Mapping[str, str | int | float | bool]


class TraceSpan:
    """A span that nobody records, and what can be done with any span. It ends where its `with` does."""

    place: TracePlace | None = None  # None: there is no span

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        return None

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, error: str) -> None:
        """Mark the span as failed, by the type of an error or by a status."""

    def link(self, place: TracePlace) -> None:
        """Add a link to a span of another trace."""


class Recorder(Protocol):
    """What records spans, and knows which one is the present span of a task."""

    def start(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: TracePlace | None,
        links: Sequence[TracePlace] = (),
        began_at: int | None = None,
        calls: bool = True,
    ) -> TraceSpan:
        """Start a span below `parent`, or that of a new trace. `began_at`: nanoseconds since 1970.

        Without `calls`, there are no spans of calls below it.
        """
        ...

    def start_below(self, name: str, kind: Kind, attributes: Attributes) -> TraceSpan:
        """Start a span below the present one. Returns NO_SPAN unless that is sampled and goes on."""
        ...

    def takes_calls(self) -> bool:
        """Return whether calls of PostgreSQL and Redis have spans below the present one."""
        ...

    def present(self) -> TraceSpan:
        """Return the present span; NO_SPAN if there is none."""
        ...


NO_SPAN = TraceSpan()
_recorder: Recorder | None = None


def use(recorder: Recorder | None) -> None:
    """Record the spans of this process from now on; None: no more."""
    global _recorder  # noqa: PLW0603 - one for the process, like the counters of `schemas.metrics`
    _recorder = recorder


def are_on() -> bool:
    """Return whether this process records spans."""
    return _recorder is not None


def present() -> TraceSpan:
    """Return the span in which this task works."""
    return NO_SPAN if _recorder is None else _recorder.present()


def link_to(trace: str | None) -> None:
    """Add a link to the trace that another job keeps, to the present span: its work continues that job's."""
    if _recorder is not None and (place := read_place(trace)):
        _recorder.present().link(place)


def request_span(name: str, received: TracePlace | None, attributes: Attributes) -> TraceSpan:
    """Return the span of a request to this process, in the trace that the client names, or in a new one."""
    if _recorder is None:
        return NO_SPAN
    return _recorder.start(name, "server", attributes, parent=received)


def step_span(name: str, attributes: Attributes) -> TraceSpan:
    """Return the span of a step of what the present span is about. Without one, there is no span."""
    return NO_SPAN if _recorder is None else _recorder.start_below(name, "internal", attributes)


def call_span(system: str, noun: str, verb: str) -> TraceSpan:
    """Return the span of a call of PostgreSQL or Redis, for which the present span waits."""
    if _recorder is None or not _recorder.takes_calls():
        return NO_SPAN
    name = f"{noun}.{verb}"
    return _recorder.start_below(name, "client", {"db.system.name": system, "db.query.summary": name})


def job_span(
    name: str, trace: str | None, attributes: Attributes, kind: Kind = "internal", *, calls: bool = True
) -> TraceSpan:
    """Return the span of a step of a job, in the trace that the job keeps. Without one, there is no span."""
    if _recorder is None or (place := read_place(trace)) is None:
        return NO_SPAN
    return _recorder.start(name, kind, attributes, parent=place, calls=calls)


def batch_span(
    name: str,
    traces: Iterable[str | None],
    attributes: Attributes,
    kind: Kind = "internal",
    *,
    calls: bool = True,
) -> TraceSpan:
    """Return the span of a step of several jobs at once, from the traces that they keep.

    If only one of them is sampled, it is in the trace of that job, or there is none: the present span is of
    this trace. Otherwise it is in a trace of its own, with links to those that are sampled.
    """
    if _recorder is None:
        return NO_SPAN
    sampled = [place for text in traces if (place := read_place(text)) and place.sampled]
    if not sampled:
        return NO_SPAN
    if len(sampled) > 1:
        return _recorder.start(name, kind, attributes, parent=None, links=sampled, calls=calls)
    present = _recorder.present().place
    if present is not None and present.trace_id == sampled[0].trace_id:
        return NO_SPAN
    return _recorder.start(name, kind, attributes, parent=sampled[0], calls=calls)


def job_span_of_batch(
    name: str, trace: str | None, attributes: Attributes, batch: TraceSpan, *, began_at: int
) -> TraceSpan:
    """Return the span of a job in a batch, in the trace of the job, with a link to the span of the batch."""
    if _recorder is None or batch.place is None or (place := read_place(trace)) is None:
        return NO_SPAN
    links = [batch.place] if batch.place.trace_id != place.trace_id else []
    return _recorder.start(name, "internal", attributes, parent=place, links=links, began_at=began_at)
