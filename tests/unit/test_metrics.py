"""The definitions of the metrics: their names, their labels, and the page that describes them."""

from pathlib import Path

import pytest
from prometheus_client import Counter, Histogram

from schemas.metrics import OF_API, OF_BOTH, OF_WORKER, ROLES, Definition, State

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
ALL = OF_BOTH + OF_API + OF_WORKER
# Labels whose values are named by the code, so that there are few. Never an account, a job or a client.
LABELS = {
    "action", "kind", "method", "operation", "outcome", "reason", "role", "route", "stage", "state", "status",
    "version",
}  # fmt: skip
WORDS_OF_OTHER_UNITS = ("_milliseconds", "_ms", "_minutes", "_kilobytes", "_megabytes", "_percent", "_count")


def name_of(metric: Definition) -> str:
    """Return the name of a metric as it is shown."""
    if isinstance(metric, State):
        return metric.name
    (family,) = metric.describe()
    return family.name + ("_total" if isinstance(metric, Counter) else "")


def labels_of(metric: Definition) -> tuple[str, ...]:
    """Return the labels of a metric."""
    return metric.labels if isinstance(metric, State) else tuple(metric._labelnames)


def rows() -> list[str]:
    """Return the table of the page."""
    found = ["| metric | type | labels | of | meaning |", "|---|---|---|---|---|"]
    for metric in ALL:
        kind = {Counter: "counter", Histogram: "histogram", State: "gauge"}[type(metric)]
        labels = ", ".join(f"`{label}`" for label in labels_of(metric))
        of = ", ".join(role for role, metrics in ROLES.items() if metric in metrics)
        text = metric.text if isinstance(metric, State) else next(iter(metric.describe())).documentation
        found.append(f"| `{name_of(metric)}` | {kind} | {labels} | {of} | {text} |")
    return found


def test_the_page_has_every_metric() -> None:
    shown = [line for line in PAGE.read_text().splitlines() if line.startswith(("| `bulklane_", "| metric "))]
    wanted = [row for row in rows() if not row.startswith("|---")]
    assert shown == wanted


@pytest.mark.parametrize("metric", ALL, ids=name_of)
def test_a_name_follows_the_guide_of_prometheus(metric: Definition) -> None:
    name = name_of(metric)
    assert name.startswith("bulklane_")
    assert name.endswith("_total") == isinstance(metric, Counter)
    assert not name.endswith(WORDS_OF_OTHER_UNITS)
    if isinstance(metric, Histogram):
        assert name.endswith("_seconds")
    assert set(labels_of(metric)) <= LABELS


def test_no_name_is_used_twice() -> None:
    assert len({name_of(metric) for metric in ALL}) == len(ALL)
