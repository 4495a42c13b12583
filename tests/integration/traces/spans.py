"""The spans that a test records, as OpenTelemetry would export them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import SpanContext

from schemas import traces
from storage.telemetry.recorder import SpanRecorder


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans that have ended."""

    recorder: SpanRecorder
    exporter: InMemorySpanExporter

    @property
    def all(self) -> Sequence[ReadableSpan]:
        """All of them, in the order of their ends."""
        self.recorder.tell()
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """Those with a name."""
        return [span for span in self.all if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """The only one with a name."""
        (span,) = self.named(name)
        return span

    def below(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """Those whose parent is a span."""
        return [span for span in self.all if span.parent and span.parent.span_id == id_of(parent)]


@contextmanager
def recording(sampler: Sampler | None = None) -> Iterator[Spans]:
    """Record the spans of this process while the body runs."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    recorder = SpanRecorder(provider.get_tracer("test"))
    traces.use(recorder)
    try:
        yield Spans(recorder, exporter)
    finally:
        traces.use(None)


def id_of(span: ReadableSpan) -> int:
    """Return the id of a span."""
    return context_of(span).span_id


def trace_of(span: ReadableSpan) -> int:
    """Return the id of the trace of a span."""
    return context_of(span).trace_id


def context_of(span: ReadableSpan) -> SpanContext:
    """Return the place of a span in its trace."""
    context = span.get_span_context()
    assert context is not None
    return context


def linked(span: ReadableSpan) -> set[int]:
    """Return the ids of the spans to which a span has links."""
    return {link.context.span_id for link in span.links}
