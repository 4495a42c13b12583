"""Spans are told to OpenTelemetry some time after their end, and look as if they had been told at once."""

import time
from contextlib import suppress

from opentelemetry.trace import StatusCode

from schemas import traces
from schemas.trace_context import TracePlace
from storage.telemetry.recorder import MOST_WAITING
from tests.integration.traces.spans import Spans, context_of, id_of, linked

PARENT = TracePlace(0x1234, 0x56, 1)


def test_a_span_has_the_times_of_its_with_and_what_was_noted_in_it(spans: Spans) -> None:
    began = time.time_ns()
    with traces.job_span("step", PARENT.text, {"a": 1, "b": 1}) as span:
        span.set({"b": 2})
        span.link(TracePlace(0x78, 0x9A, 1))
    ended = time.time_ns()
    assert not spans.exporter.get_finished_spans()
    told = spans.one("step")
    assert told.attributes == {"a": 1, "b": 2}
    assert linked(told) == {0x9A}
    assert told.start_time is not None
    assert told.end_time is not None
    assert began <= told.start_time <= told.end_time <= ended
    assert told.parent is not None
    assert told.parent.span_id == PARENT.span_id
    assert told.status.status_code is StatusCode.UNSET


def test_a_span_that_is_asked_for_its_place_keeps_what_is_noted_afterwards(spans: Spans) -> None:
    with suppress(KeyError), traces.request_span("request", None, {"a": 1}) as span:
        place = span.place
        span.set({"b": 2})
        span.link(TracePlace(0x78, 0x9A, 1))
        with traces.step_span("below", {}):
            raise KeyError
    told = spans.one("request")
    assert place is not None
    assert (context_of(told).trace_id, id_of(told)) == (place.trace_id, place.span_id)
    assert told.attributes == {"a": 1, "b": 2, "error.type": "KeyError"}
    assert linked(told) == {0x9A}
    assert told.status.status_code is StatusCode.ERROR
    assert spans.below(told) == [spans.one("below")]


def test_a_span_that_has_ended_has_none_below_it(spans: Spans) -> None:
    with traces.request_span("request", None, {}):
        ended = traces.present()
    with ended, traces.step_span("below", {}) as below:
        assert below is traces.NO_SPAN


def test_a_span_that_has_ended_takes_nothing_more(spans: Spans) -> None:
    """A task that began in a request can go on after it."""
    with traces.job_span("step", PARENT.text, {"a": 1}) as span:
        pass
    span.set({"late": 1})
    span.fail("Late")
    span.link(TracePlace(0x78, 0x9A, 1))
    told = spans.one("step")
    assert told.attributes == {"a": 1}
    assert linked(told) == set()
    assert told.status.status_code is StatusCode.UNSET


def test_no_more_spans_wait_than_fit(spans: Spans) -> None:
    for _ in range(MOST_WAITING + 1):
        with traces.request_span("request", None, {}):
            pass
    assert len(spans.exporter.get_finished_spans()) == MOST_WAITING
    assert len(spans.all) == MOST_WAITING + 1
