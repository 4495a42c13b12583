"""Counts and observations of what happens often: they are noted first, and counted many at once.

Between two chunks the caches of the processor are full of items, and one observation of a histogram takes
about 0.025 ms; one after another they take a tenth of it. A chunk has a dozen of them.

A worker shows its metrics from another thread, which counts what is noted at any moment, also while this one
notes or counts.
"""

import threading
from collections import deque
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import RestrictedRegistry

MOST_NOTED = 512

_noted: deque[tuple[Counter | Histogram, tuple[str, ...], float]] = deque()
_counting = threading.Lock()  # without it, a scrape would miss what another thread has taken and not counted


def count(counter: Counter, *labels: str, by: float = 1) -> None:
    """Add to the counter with these labels."""
    _note(counter, labels, by)


def observe(histogram: Histogram, value: float, *labels: str) -> None:
    """Add a value to the histogram with these labels."""
    _note(histogram, labels, value)


def _note(metric: Counter | Histogram, labels: tuple[str, ...], value: float) -> None:
    _noted.append((metric, labels, value))
    if len(_noted) >= MOST_NOTED:
        count_noted()


def count_noted() -> None:
    """Count what is noted: each once, whichever threads call this."""
    with _counting:
        while _noted:
            _count(*_noted.popleft())


def _count(metric: Counter | Histogram, labels: tuple[str, ...], value: float) -> None:
    child = metric.labels(*labels) if labels else metric
    if isinstance(child, Histogram):
        child.observe(value)
    else:
        child.inc(value)


class NotedRegistry(CollectorRegistry):
    """A registry that shows what is noted, too."""

    def collect(self) -> Iterable[Metric]:
        """Count what is noted, and yield all metrics."""
        count_noted()
        yield from super().collect()

    def restricted_registry(self, names: Iterable[str]) -> RestrictedRegistry:
        """Count what is noted, and return a registry that shows these metrics alone: `/metrics?name[]=…`."""
        count_noted()
        return super().restricted_registry(names)
