"""What is noted is counted once, also where several threads note and count at the same time."""

import sys
import threading
from collections.abc import Iterator

import pytest
from prometheus_client import Counter, Histogram

from schemas.noted_metrics import MOST_NOTED, NotedRegistry, count, count_noted, observe

NOTES = 200 * MOST_NOTED


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Have the interpreter change between threads as often as it can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_a_registry_shows_what_is_noted() -> None:
    registry = NotedRegistry()
    counter = Counter("seen", "Seen.", ["kind"], registry=registry)
    histogram = Histogram("took_seconds", "Took.", registry=registry)
    count(counter, "a", by=2)
    count(counter, "a")
    observe(histogram, 0.5)
    assert registry.get_sample_value("seen_total", {"kind": "a"}) == 3
    assert registry.get_sample_value("took_seconds_sum") == 0.5


def test_a_registry_shows_what_is_noted_also_to_those_who_ask_for_a_few_metrics() -> None:
    """Prometheus can ask a worker for `/metrics?name[]=asked_total`."""
    registry = NotedRegistry()
    counter = Counter("asked", "Asked.", registry=registry)
    count(counter)
    (asked,) = registry.restricted_registry(["asked_total"]).collect()
    assert [sample.value for sample in asked.samples] == [1]


@pytest.mark.usefixtures("hasty_threads")
def test_nothing_is_lost_or_counted_twice_while_another_thread_shows_the_metrics() -> None:
    registry = NotedRegistry()
    counter = Counter("noted", "Noted.", registry=registry)
    ended = threading.Event()

    def show_always() -> None:
        while not ended.is_set():
            count_noted()

    threads = [threading.Thread(target=show_always) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(NOTES):
        count(counter)
    ended.set()
    for thread in threads:
        thread.join()
    assert registry.get_sample_value("noted_total") == NOTES
