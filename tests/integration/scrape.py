"""The metrics of a process as a test reads them: parsed, and compared with those of before."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """What `/metrics` showed at one moment."""

    text: str
    values: Mapping[tuple[str, Labels], float]

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse the text format."""
        values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        return cls(text=text, values=values)

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the series that have this name and these labels; 0: there is none."""
        return sum(
            value
            for (known, given), value in self.values.items()
            if known == name and labels.items() <= dict(given).items()
        )

    def since(self, before: "Scrape", name: str, **labels: str) -> float:
        """Return how much the sum of these series has grown since an earlier scrape."""
        return self.sum(name, **labels) - before.sum(name, **labels)

    @property
    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _ in self.values}


def problems_of(scrape: Scrape) -> list[str]:
    """Return what Prometheus finds wrong with a scrape, and what our own rules do."""
    found = []
    for family in text_string_to_metric_families(scrape.text):
        if not family.name.startswith(("bulklane_", "process_")):
            found.append(f"{family.name} has another prefix")
        if not family.documentation:
            found.append(f"{family.name} has no help")
        if family.type not in {"counter", "gauge", "histogram"}:
            found.append(f"{family.name} is a {family.type}")
    return found + (_promtool(scrape.text) if PROMTOOL else [])


def _promtool(text: str) -> list[str]:
    assert PROMTOOL is not None
    command = [PROMTOOL, "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout + done.stderr).splitlines() + ([] if done.returncode == 0 else ["it failed"])
