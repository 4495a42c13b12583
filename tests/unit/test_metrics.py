"""The definitions of the metrics, and what uses them: the pages, the rules of alerts, the dashboard."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML has no types
from prometheus_client import Counter, Histogram

from schemas.metrics import OF_API, OF_BOTH, OF_WORKER, ROLES, Definition, State
from tests.integration.scrape import PROMTOOL

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "metrics.md"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
ALERTS_PAGE = ROOT / "docs" / "operations" / "alerts.md"
DASHBOARD = ROOT / "deploy" / "grafana" / "bulklane.json"
ALL = OF_BOTH + OF_API + OF_WORKER
# Labels whose values are named by the code, so that there are few. Never an account, a job or a client.
LABELS = {
    "action", "kind", "method", "operation", "outcome", "reason", "role", "route", "stage", "state", "status",
    "version",
}  # fmt: skip
OF_PROMETHEUS = {"instance", "job", "le"}  # labels that every series or every histogram has
NAME = re.compile(r"\b(bulklane_\w+)")
LABEL = re.compile(r"(?:by|without) \(([^)]*)\)|(\w+)(?:=~|!~|!=|=)\"|\{\{(\w+)\}\}")
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


def test_every_label_whose_values_are_known_has_all_of_them_from_the_start() -> None:
    spec = importlib.util.find_spec("schemas.metrics")
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)  # not the one in which other tests have counted
    spec.loader.exec_module(fresh)
    without = {
        name_of(metric)
        for metric in fresh.OF_BOTH + fresh.OF_API + fresh.OF_WORKER
        if not isinstance(metric, fresh.State) and not next(iter(metric.collect())).samples
    }
    assert without == {"bulklane_http_requests_total", "bulklane_http_request_duration_seconds"}
    stages = {sample.labels["stage"] for sample in next(iter(fresh.STAGE_DURATION.collect())).samples}
    assert stages == set(fresh.STAGES)


def test_no_name_is_used_twice() -> None:
    assert len({name_of(metric) for metric in ALL}) == len(ALL)


def samples() -> set[str]:
    """Return the names that a query may use."""
    found = set()
    for metric in ALL:
        name = name_of(metric)
        parts = ("_bucket", "_sum", "_count") if isinstance(metric, Histogram) else ("",)
        found |= {name + part for part in parts}
    return found


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def _queries_of(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the queries of a dashboard with the texts of their legends."""
    match node:
        case {"expr": str(query)}:
            yield query, node.get("legendFormat") or node.get("titleFormat") or ""
        case dict():
            for value in node.values():
                yield from _queries_of(value)
        case list():
            for value in node:
                yield from _queries_of(value)


QUERIES = [
    *((rule["expr"], "") for rule in _rules()),
    *_queries_of(json.loads(DASHBOARD.read_text())),
]


@pytest.mark.parametrize(("query", "legend"), QUERIES)
def test_a_query_uses_metrics_and_labels_that_exist(query: str, legend: str) -> None:
    assert set(NAME.findall(query)) <= samples()
    words = [
        word for groups in LABEL.findall(query + legend) for word in ", ".join(groups).split(", ") if word
    ]
    assert set(words) <= LABELS | OF_PROMETHEUS


def test_the_dashboard_shows_every_metric() -> None:
    shown = set(NAME.findall(DASHBOARD.read_text()))
    wanted = {name_of(metric) for metric in ALL}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in shown} == wanted


def test_every_rule_is_described() -> None:
    page = ALERTS_PAGE.read_text()
    for rule in _rules():
        assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in page
        assert rule["annotations"]["summary"].rstrip(".")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt install prometheus")
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """The rules as they are, and the queries of the dashboard as rules."""
    queries = [query.replace("$__rate_interval", "5m") for query, _ in QUERIES]
    rules = [{"record": f"query:number_{n}", "expr": query} for n, query in enumerate(queries)]
    recorded = tmp_path / "queries.yml"
    recorded.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    assert PROMTOOL is not None
    for file in (ALERTS, recorded):
        done = subprocess.run([PROMTOOL, "check", "rules", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
