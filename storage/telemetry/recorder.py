"""Records spans with a tracer of OpenTelemetry."""

from collections.abc import Sequence
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, get_current, set_value
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
CALLS_LEFT_OUT = "bulklane-calls-left-out"
QUIET = set_value(CALLS_LEFT_OUT, True, Context())


class RecordedSpan(TraceSpan):
    """A span of OpenTelemetry. While its `with` runs, it is the present span of the task."""

    def __init__(self, span: trace.Span, *, calls: bool = True) -> None:
        self._span = span
        self._around = NEW_TRACE if calls else QUIET

    @property
    def place(self) -> TracePlace | None:  # type: ignore[override]  # of this span it never changes
        """Where the span is in its trace. None: the SDK has returned a span that is in none."""
        at = self._span.get_span_context()
        if not at.is_valid:
            return None
        return TracePlace(at.trace_id, at.span_id, at.trace_flags, at.trace_state.to_header())

    def __enter__(self) -> Self:
        self._token = attach(trace.set_span_in_context(self._span, self._around))
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        detach(self._token)
        if error is not None:
            self.fail(type(error).__name__)
        self._span.end()

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def fail(self, error: str) -> None:
        self._span.set_attribute("error.type", error)
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
        """See `schemas.traces.Recorder`. A span that has ended is not recorded any more."""
        around = get_current()
        if kind == "client" and CALLS_LEFT_OUT in around:
            return NO_SPAN
        if not trace.get_current_span(around).is_recording():
            return NO_SPAN
        return RecordedSpan(self._tracer.start_span(name, around, KINDS[kind], attributes))

    def present(self) -> TraceSpan:
        """See `schemas.traces.Recorder`."""
        return RecordedSpan(trace.get_current_span())


def _below(parent: TracePlace) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_context_of(parent)), NEW_TRACE)


def _context_of(place: TracePlace) -> SpanContext:
    state = TraceState.from_header([place.state]) if place.state else None
    return SpanContext(place.trace_id, place.span_id, True, TraceFlags(place.flags), state)
