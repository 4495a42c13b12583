"""Records spans with a tracer of OpenTelemetry.

The present span is in a variable of our own, not in the context of OpenTelemetry: most of what is asked of
it is whether there is one, a few times for each chunk.

The SDK hears of many spans at once. Between two chunks, when the processor has thousands of items in its
caches and nothing of the SDK, to make one span takes five times as long as in a row of them.
"""

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import lru_cache, partial
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
KEPT_CONTEXTS = 128  # of jobs: the chunks of one follow each other
MOST_WAITING = 256  # spans that have ended and that the SDK has not heard of
_present: ContextVar["RecordedSpan | None"] = ContextVar("present", default=None)


class RecordedSpan(TraceSpan):
    """A span of OpenTelemetry. While its `with` runs, it is the present span of the task.

    The SDK hears of it when something asks for its place, or some time after its end. What is noted after the
    end is not in it: a task that began in a request can go on when the request has ended.
    """

    def __init__(
        self,
        start: Callable[..., trace.Span],
        end: Callable[["RecordedSpan"], None],
        attributes: Attributes,
        links: Sequence[TracePlace] = (),
        *,
        calls: bool = True,
    ) -> None:
        self._start = start
        self._end = end
        self._started: trace.Span | None = None
        self._ended_at: int | None = None
        self._noted = dict(attributes)
        self._links = [Link(_context_of(place)) for place in links]
        self._error: str | None = None
        self.calls = calls

    @property
    def _span(self) -> trace.Span:
        if self._started is None:
            self._started = self._start(attributes=self._noted, links=self._links)
            self._noted = {}
        return self._started

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
        return self._ended_at is None and self._span.is_recording()

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
        self._ended_at = time.time_ns()
        self._end(self)

    def tell(self) -> None:
        """Tell the SDK of the span, which has ended."""
        span = self._span
        if self._noted:
            span.set_attributes(self._noted)
        if self._error is not None:
            span.set_status(StatusCode.ERROR, self._error)
        span.end(self._ended_at)

    def set(self, attributes: Attributes) -> None:
        if self._ended_at is None:
            self._noted.update(attributes)

    def fail(self, error: str) -> None:
        if self._ended_at is None:
            self._noted["error.type"] = self._error = error

    def link(self, place: TracePlace) -> None:
        if self._ended_at is not None:
            return
        if self._started is None:
            self._links.append(Link(_context_of(place)))
        else:
            self._started.add_link(_context_of(place))


class SpanRecorder:
    """Starts spans with one tracer. What is sampled, and where spans go, is the matter of its provider.

    Call `tell` from time to time, and at the end.
    """

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._ended: list[RecordedSpan] = []

    def tell(self) -> None:
        """Tell the SDK of the spans that have ended."""
        ended, self._ended = self._ended, []
        for span in ended:
            span.tell()

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
        context = _below(parent) if parent else NEW_TRACE
        return self._recorded(name, context, kind, attributes, links, began_at, calls=calls)

    def start_below(self, name: str, kind: Kind, attributes: Attributes) -> TraceSpan:
        """See `schemas.traces.Recorder`."""
        above = _present.get()
        if above is None or not above.is_recorded:
            return NO_SPAN
        return self._recorded(name, above.below, kind, attributes)

    def takes_calls(self) -> bool:
        """See `schemas.traces.Recorder`."""
        above = _present.get()
        return above is not None and above.calls and above.is_recorded

    def present(self) -> TraceSpan:
        """See `schemas.traces.Recorder`."""
        return _present.get() or NO_SPAN

    def _recorded(
        self,
        name: str,
        context: Context,
        kind: Kind,
        attributes: Attributes,
        links: Sequence[TracePlace] = (),
        began_at: int | None = None,
        *,
        calls: bool = True,
    ) -> TraceSpan:
        began_at = time.time_ns() if began_at is None else began_at
        start = partial(self._tracer.start_span, name, context, KINDS[kind], start_time=began_at)
        return RecordedSpan(start, self._keep, attributes, links, calls=calls)

    def _keep(self, span: RecordedSpan) -> None:
        self._ended.append(span)
        if len(self._ended) >= MOST_WAITING:
            self.tell()


@lru_cache(maxsize=KEPT_CONTEXTS)
def _below(parent: TracePlace) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_context_of(parent)), NEW_TRACE)


def _context_of(place: TracePlace) -> SpanContext:
    state = TraceState.from_header([place.state]) if place.state else None
    return SpanContext(place.trace_id, place.span_id, True, TraceFlags(place.flags), state)
