"""Every figure of the pages on performance comes from a file in bench/results."""

import re
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import BENCHES, name_of
from bench.lab.results import number
from bench.lab.targets import TARGETS

FIGURE = re.compile(r"\d[\d.,]*\s*(?:(?:rows|items|jobs)/s|rows a second|ms\b|µs\b|MB\b|%|\u00d7|times\b)")
CHOSEN = {"5 ms"}  # how the benchmark is set up, not what it measured
PERFORMANCE = report.REPOSITORY / "docs" / "performance.md"


@pytest.mark.parametrize("page", report.PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_of_the_results(page: Path) -> None:
    text = page.read_text()
    assert report.filled(text, report.read_results()) == text, "run `./run bench report`"


def test_the_plots_are_those_of_the_results() -> None:
    drawn = {name: (report.PLOTS / f"{name}.svg").read_text() for name in report.DRAWN}
    assert drawn == report.plots(report.read_results()), "run `./run bench report`"


@pytest.mark.parametrize("page", report.PAGES, ids=lambda page: page.name)
def test_a_page_has_no_figure_of_its_own(page: Path) -> None:
    prose = report.BLOCK.sub("", page.read_text())
    assert set(FIGURE.findall(prose)) <= CHOSEN


def test_the_page_shows_every_benchmark() -> None:
    shown = {match[1] for match in report.BLOCK.findall(PERFORMANCE.read_text())}
    assert shown == {name_of(bench) for bench in BENCHES} - {"smoke"} | {"targets", "missed", "taken"}


def test_the_page_has_a_section_for_each_goal_that_shows_what_bounds_it() -> None:
    headings = set(re.findall("^## (.+)$", PERFORMANCE.read_text(), re.MULTILINE))
    assert {target.section for target in TARGETS.values()} <= headings


def test_the_page_shows_every_plot() -> None:
    assert set(re.findall(r"\(plots/(\w+)\.svg\)", PERFORMANCE.read_text())) == report.DRAWN.keys()


@pytest.mark.parametrize(
    ("value", "text"), [(54_150, "54,200"), (123.4, "123"), (12.34, "12.3"), (0.704, "0.70"), (0, "0")]
)
def test_a_number_has_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text
