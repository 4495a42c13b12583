"""The figures of a job: its timeline, the strip of its chunks, and the plot of its throughput.

A figure has numbers only; the templates draw it. Shares are from 0 to 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.wire.jobs import JobProgress
from storage.inspection.chunk_strip import Cell

MOST_BARS = 60
# The spans of a plot in seconds, so that its marks are round times.
SPANS = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    21600,
    86400,
)
MARKS = 4  # on the time axis of a plot, besides its beginning
GAP = 0.15  # of the width of a cell


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineStep:
    """One of the four times of a job. `took`: since the one before; `doing`: what happened meanwhile."""

    name: str
    at: datetime | None
    took: timedelta | None
    doing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a strip: where it begins, and how wide it is. `kind` is the state of its chunks."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """The throughput of a job. `bars` are shares of `peak`, each of `seconds` seconds; `marks` are times."""

    bars: list[float]
    peak: float  # items a second
    mean: float
    seconds: float
    marks: list[float]  # seconds since the beginning, at equal distances


def timeline(job: JobProgress) -> list[TimelineStep]:
    """Return the times of a job: it is received, waits for its turn, is applied, and has ended."""
    steps: list[TimelineStep] = []
    before: datetime | None = None
    for name, at, doing in (
        ("Received", job.received_at, ""),
        ("Accepted", job.accepted_at, "upload"),
        ("Started", job.started_at, "waiting"),
        ("Ended", job.finished_at, "applying"),
    ):
        took = max(at - before, timedelta(0)) if at and before else None
        steps.append(TimelineStep(name=name, at=at, took=took, doing=doing))
        before = at or before
    return steps


def items_a_second(job: JobProgress, now: datetime | None = None) -> float | None:
    """Return the mean throughput of a job since its start; None: nothing is applied yet."""
    done = (job.total or 0) - job.counts.pending - job.counts.cancelled
    if job.started_at is None or done <= 0:
        return None
    seconds = ((job.finished_at or now or datetime.now(UTC)) - job.started_at).total_seconds()
    return done / max(seconds, 0.001)


def strip(cells: Sequence[Cell]) -> list[Segment]:
    """Return the cells of chunks side by side, each divided by state."""
    segments = []
    width = 1 / max(len(cells), 1)
    for place, cell in enumerate(cells):
        x = place * width
        waiting = cell.chunks - cell.done - cell.running - cell.cancelled
        counts = {"done": cell.done, "running": cell.running, "waiting": waiting, "cancelled": cell.cancelled}
        for kind, count in counts.items():
            part = width * (1 - GAP) * count / cell.chunks
            if part:
                segments.append(Segment(kind=kind, x=x, width=part))
            x += part
    return segments


def span_of(begun_at: datetime, until: datetime) -> float:
    """Return the seconds of a bar, so that a plot of this time has at most MOST_BARS."""
    seconds = (until - begun_at).total_seconds()
    return next((span for span in SPANS if seconds < span * MOST_BARS), SPANS[-1])


def plot(paces: Mapping[int, int], begun_at: datetime, until: datetime) -> Plot | None:
    """Return the plot of the items by span; None: there are too few for a plot."""
    seconds = span_of(begun_at, until)
    whole = max((until - begun_at).total_seconds(), seconds)
    count = max(int(whole // seconds) + 1, max(paces, default=0) + 1)
    if len(paces) < 3 or count > 2 * MOST_BARS:  # a clock that was set back
        return None
    peak = max(paces.values()) / seconds
    axis = count * seconds
    return Plot(
        bars=[paces.get(span, 0) / seconds / peak for span in range(count)],
        peak=peak,
        mean=sum(paces.values()) / whole,
        seconds=seconds,
        marks=[axis * mark / MARKS for mark in range(MARKS + 1)],
    )
