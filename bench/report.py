"""`./run bench report`: write the figures of `bench/results/` into the documentation, and draw its plots.

A page says which figures it shows, and where:

    <!-- bench load: service rows/s, plain rows/s, ratio -->
    (a table of these columns)
    <!-- end -->

`<!-- bench targets -->` shows all goals, `<!-- bench missed -->` where to read why some are missed, and
`<!-- bench taken -->` how the results were taken. A test compares the pages with the results, so no figure is
written by hand.
"""

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.lab.plots import Group, bars
from bench.lab.results import FOLDER, median, number, shown
from bench.lab.targets import TARGETS

REPOSITORY = Path(__file__).parents[1]
PAGES = (REPOSITORY / "README.md", REPOSITORY / "docs" / "performance.md")
PLOTS = REPOSITORY / "docs" / "plots"
BLOCK = re.compile(r"(<!-- bench (\w+)(?:: ([^>]*?))? -->\n).*?(<!-- end -->)", re.DOTALL)
# by the name of the plot: the benchmark, the title, the unit, and the columns to draw
DRAWN = {
    "load": ("load", "Rows a second: the service beside plain SQL", ("service rows/s", "plain rows/s")),
    "operations": ("operations", "Rows a second of each operation", ("rows/s",)),
    "stages": ("stages", "Processor time of a new row, in microseconds", ("µs/row",)),
    "scale": ("scale", "Jobs a second with more workers, 5 ms away from PostgreSQL", ("jobs/s",)),
    "duplicates": ("duplicates", "Items a second with and without duplicates", ("items/s",)),
    "peers": ("peers", "New rows a second: the service beside hand-written workers", ("rows/s",)),
    "queue": ("queue", "Queued small jobs drained a second", ("drained/s",)),
    "fair": ("fair", "Small job alone and beside a large job, in milliseconds", ("p50 ms", "p95 ms")),
    "pages": ("pages", "Pages and searches, in milliseconds", ("p50 ms",)),
    "claims": ("claims", "Time of PostgreSQL for the claim of a small job, in milliseconds", ("ms/job",)),
    "latency": ("latency", "Small job on an idle service, in milliseconds", ("p50 ms", "p95 ms")),
}

Result = dict[str, Any]


def report() -> None:
    """Write the figures and the plots."""
    results = read_results()
    for page in PAGES:
        page.write_text(filled(page.read_text(), results))
    PLOTS.mkdir(exist_ok=True)
    for name, text in plots(results).items():
        (PLOTS / f"{name}.svg").write_text(text)


def read_results(folder: Path = FOLDER) -> dict[str, Result]:
    """Return the results by the name of the benchmark."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def filled(text: str, results: dict[str, Result]) -> str:
    """Return a page with current tables."""

    def fill(match: re.Match[str]) -> str:
        start, name, columns, end = match.groups()
        match name:
            case "targets":
                lines = _targets(results)
            case "missed":
                lines = _missed(results)
            case "taken":
                lines = _taken(results)
            case _:
                lines = _rows(results[name], columns.split(", ") if columns else [])
        return start + "\n".join(lines) + "\n" + end

    return BLOCK.sub(fill, text)


def plots(results: dict[str, Result]) -> dict[str, str]:
    """Return the plots as SVG, by name. A benchmark without results has none."""
    return {
        name: bars(title, [Group(row["what"], _values(row, columns)) for row in results[bench]["rows"]])
        for name, (bench, title, columns) in DRAWN.items()
        if bench in results
    }


def _values(row: dict[str, Any], columns: tuple[str, ...]) -> dict[str, float]:
    return {title: median(row[title]) for title in columns if title in row}


def _rows(result: Result, columns: list[str]) -> Iterator[str]:
    rows = [row for row in result["rows"] if not columns or any(title in row for title in columns)]
    titles = columns or list(dict.fromkeys(title for row in rows for title in row if title != "what"))
    yield from _header(["", *titles])
    for row in rows:
        yield _line([row["what"], *(shown(row[title]) if title in row else "" for title in titles)])


def _targets(results: dict[str, Result]) -> Iterator[str]:
    yield from _header(["what", "measured", "goal", "at least", "reached", "benchmark"])
    for name, target in _measured(results):
        figures = (shown(target["measured"]), number(target["goal"]), number(target["least"]))
        cells = [f"{figure} {target['unit']}".strip() for figure in figures]
        verdict = "goal" if _is_goal(target) else "yes" if target["reached"] else "no"
        yield _line([target["what"], *cells, verdict, f"`{name}`"])


def _missed(results: dict[str, Result]) -> Iterator[str]:
    """Yield a list of the sections that show what bounds the values below `at least`."""
    missed = [target for _, target in _measured(results) if not target["reached"]]
    for section, targets in groupby(sorted(missed, key=_section), key=_section):
        yield f"- [{section}](#{slug(section)}) {'; '.join(target['what'] for target in targets)}."
    if not missed:
        yield "None."


def _section(target: dict[str, Any]) -> str:
    return TARGETS[target["target"]].section


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _measured(results: dict[str, Result]) -> list[tuple[str, dict[str, Any]]]:
    """Return the measured targets with the names of their benchmarks, in the order of TARGETS."""
    found = [
        (name, target) for name, result in results.items() if name != "smoke" for target in result["targets"]
    ]
    order = list(TARGETS)
    return sorted(found, key=lambda one: order.index(one[1]["target"]))


def _is_goal(target: dict[str, Any]) -> bool:
    larger_is_better = target["goal"] > target["least"]
    measured = median(target["measured"])
    return bool(measured >= target["goal"] if larger_is_better else measured <= target["goal"])


def _taken(results: dict[str, Result]) -> Iterator[str]:
    yield from _header(["benchmark", "at", "commit", "cores", "load average before", "after", "options"])
    for name, result in results.items():
        taken = result["taken"]
        options = ", ".join(
            f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}"
            for key, value in result["options"].items()
        )
        loads = (str(taken[key]) for key in ("load_before", "load_after"))
        yield _line([f"`{name}`", taken["at"][:16], taken["commit"], str(taken["cores"]), *loads, options])


def _header(titles: list[str]) -> Iterator[str]:
    yield _line(titles)
    yield "|" + "---|" * len(titles)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
