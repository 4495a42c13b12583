"""The results of a benchmark: medians, goals, exit codes, and what the pages and plots show of them."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import typer

from bench.__main__ import command_of
from bench.lab.plots import Group, bars
from bench.lab.results import Results
from bench.lab.targets import TARGETS
from bench.report import filled

PAGE = """Before.
<!-- bench load: ratio, rows/s -->
an old table
<!-- end -->
After.
"""


def _measure(results: Results, *, ratio: float = 1.0) -> None:
    results.row("new", ratio=[0.5, ratio, 0.9], rows_per_s=54_150, api_us=2)
    results.target("new", ratio)


def test_the_file_has_medians_rounds_options_and_the_circumstances(tmp_path: Path) -> None:
    command_of("load", _measure)(folder=tmp_path, strict=False, ratio=0.7)
    content = json.loads((tmp_path / "load.json").read_text())
    assert content["options"] == {"ratio": 0.7}
    (row,) = content["rows"]
    assert row["ratio"] == {"median": 0.7, "rounds": [0.5, 0.7, 0.9]}
    assert row["rows/s"] == 54_150
    assert row["api µs"] == 2
    assert {"at", "commit", "cores", "load_before", "load_after", "postgresql"} <= content["taken"].keys()


def test_strict_fails_below_the_least(tmp_path: Path) -> None:
    command_of("load", _measure)(folder=tmp_path, strict=True, ratio=0.85)
    with pytest.raises(typer.Exit):
        command_of("load", _measure)(folder=tmp_path, strict=True, ratio=0.84)


@pytest.mark.parametrize(
    ("key", "value", "reached"),
    [("new", 0.85, True), ("new", 0.84, False), ("idle", 2, True), ("idle", 2.1, False), ("phone", 1, False)],
)
def test_a_target_knows_which_side_is_better(key: str, value: float, reached: bool) -> None:
    assert TARGETS[key].reached(value) is reached


def test_a_page_shows_the_columns_that_it_names(tmp_path: Path) -> None:
    command_of("load", _measure)(folder=tmp_path, strict=False, ratio=0.7)
    results = {"load": json.loads((tmp_path / "load.json").read_text())}
    text = filled(PAGE, results)
    assert text == PAGE.replace(
        "an old table",
        "|  | ratio | rows/s |\n|---|---|---|\n| new | 0.70 (0.50 to 0.90) | 54,200 |",
    )
    assert filled(text, results) == text


def test_a_plot_has_a_bar_for_each_value() -> None:
    text = bars("A & B", [Group("one", {"a": 1.0, "b": 2.0}), Group("two", {"a": 0.0}), Group("none", {})])
    bars_and_legend = ET.fromstring(text).findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars_and_legend) == 3 + 2
