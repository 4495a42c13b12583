"""The figures of a job, from its numbers."""

from datetime import UTC, datetime, timedelta

import pytest

from api.html.figures import MOST_BARS, plot, span_of, strip
from api.html.shows import address, duration
from storage.inspection.chunk_strip import Cell

BEGIN = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.6, 1, 59, 61, 3599, 3600, 86_400, 40 * 86_400])
def test_a_plot_has_a_limited_number_of_bars_that_cover_the_time(seconds: float) -> None:
    until = BEGIN + timedelta(seconds=seconds)
    span = span_of(BEGIN, until)
    last = int(seconds // span)
    assert last < MOST_BARS
    figure = plot({0: 10, last // 2 + 1: 20, last + 2: 30}, BEGIN, until)
    assert figure is not None
    assert max(figure.bars) == 1.0
    assert figure.peak == 30 / span
    assert figure.marks[-1] == len(figure.bars) * span


def test_too_few_chunks_are_no_plot() -> None:
    assert plot({}, BEGIN, BEGIN) is None
    assert plot({0: 1000, 1: 1000}, BEGIN, BEGIN + timedelta(seconds=2)) is None


def test_a_clock_that_was_set_back_is_no_plot() -> None:
    until = BEGIN + timedelta(seconds=5)
    assert plot({-3600: 1, 0: 2, 1: 3}, BEGIN, until) is not None
    assert plot({0: 1, 1: 2, 10**9: 3}, BEGIN, until) is None


def test_a_strip_shows_the_share_of_each_state() -> None:
    cells = [
        Cell(first_index=0, items=4, chunks=4, running=1, done=2, cancelled=0),
        Cell(first_index=4, items=1, chunks=1, running=0, done=0, cancelled=0),
    ]
    segments = strip(cells)
    assert [segment.kind for segment in segments] == ["done", "running", "waiting", "waiting"]
    assert segments[0].width == 2 * segments[1].width
    assert segments[1].x == segments[0].width
    assert strip([]) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (0.02, "20 ms"),
        (1.25, "1.2 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_address_has_the_filters_that_are_given() -> None:
    assert address("/", state="running", tag=None, name="") == "/?state=running"
    assert address("/jobs/x", "items", text="a&b #") == "/jobs/x?text=a%26b+%23#items"
