"""Records spans with a tracer of OpenTelemetry.

The present span is in a variable of our own, not in the context of OpenTelemetry: most of what is asked of
it is whether there is one, a few times for each chunk.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
)

from schemas.trace_context import TracePlace
from schemas.traces import NO_SPAN, Attributes, Kind, TraceSpan

KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
NEW_TRACE = Context()
_present: ContextVar["RecordedSpan | None"] = ContextVar("present", default=None)


class RecordedSpan(TraceSpan):
    """A span of OpenTelemetry. While its `with` runs, it is the present span of the task.

    What is noted is added at its end, at once: the SDK takes a lock for each call.
    """

    def __init__(self, span: trace.Span, *, calls: bool) -> None:
        self._span = span
        self._noted: dict[str, str | int | float | bool] = {}
        self.calls = calls

    @property
    def place(self) -> TracePlace | None:  # type: ignore[override]  # of this span it never changes
        """Where the span is in its trace. None: the SDK has returned a span that is in none."""
        at = self._span.get_span_context()
        if not at.is_valid:
            return None
        return TracePlace(at.trace_id, at.span_id, at.trace_flags, at.trace_state.to_header())

    @property
    def is_recorded(self) -> bool:
        """Whether the span is sampled and has not ended."""
        return self._span.is_recording()

    @property
    def below(self) -> Context:
        """The context in which a span starts below this one."""
        return trace.set_span_in_context(self._span, NEW_TRACE)

    def __enter__(self) -> Self:
        self._token = _present.set(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        _present.reset(self._token)
        if error is not None:
            self.fail(type(error).__name__)
        if self._noted:
            self._span.set_attributes(self._noted)
        self._span.end()

    def set(self, attributes: Attributes) -> None:
        self._noted.update(attributes)

    def fail(self, error: str) -> None:
        self._noted["error.type"] = error
        self._span.set_status(StatusCode.ERROR, error)

    def link(self, place: TracePlace) -> None:
        self._span.add_link(_context_of(place))


class SpanRecorder:
    """Starts spans with one tracer. What is sampled, and where spans go, is the matter of its provider."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

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
        """See `schemas.traces.Recorder`."""
        span = self._tracer.start_span(
            name,
            context=_below(parent) if parent else NEW_TRACE,
            kind=KINDS[kind],
            attributes=attributes,
            links=[Link(_context_of(place)) for place in links],
            start_time=began_at,
        )
        return RecordedSpan(span, calls=calls)

    def start_below(self, name: str, kind: Kind, attributes: Attributes) -> TraceSpan:
        """See `schemas.traces.Recorder`."""
        above = _present.get()
        if above is None or not above.is_recorded:
            return NO_SPAN
        return RecordedSpan(self._tracer.start_span(name, above.below, KINDS[kind], attributes), calls=True)

    def takes_calls(self) -> bool:
        """See `schemas.traces.Recorder`."""
        above = _present.get()
        return above is not None and above.calls and above.is_recorded

    def present(self) -> TraceSpan:
        """See `schemas.traces.Recorder`."""
        return _present.get() or NO_SPAN


def _below(parent: TracePlace) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_context_of(parent)), NEW_TRACE)


def _context_of(place: TracePlace) -> SpanContext:
    state = TraceState.from_header([place.state]) if place.state else None
    return SpanContext(place.trace_id, place.span_id, True, TraceFlags(place.flags), state)
