"""A Prometheus for a cluster: it finds the processes, scrapes them, and lets promtool evaluate the rules.

What was scraped before and after a fault becomes two stretches of time: twenty minutes as it was before, and
an hour as it was after. So a test need not last as long as the rules wait.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml  # type: ignore[import-untyped]  # PyYAML has no types

from tests.faults.harness.cluster import HOST, Cluster
from tests.integration.scrape import PROMTOOL, Scrape
from tests.waiting import until

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "alerts.yml"
OPERATOR_KEY = "op_" + "k" * 40
SCRAPE_SECONDS = 5.0
FIRE_SECONDS = 60.0  # until the fault is in the metrics
BEFORE = 20  # minutes
AFTER = 60
LOOKS = 3  # minutes after the time that a rule waits, in which functions over a short time have no old value

Series = Mapping[str, float]


def rules() -> dict[str, dict[str, Any]]:
    """Return the rules by name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


class Prometheus:
    """Watches one cluster."""

    def __init__(self, running: Cluster, session: aiohttp.ClientSession) -> None:
        self._running = running
        self._session = session
        self._workers: list[str] = []

    async def scrape(self) -> Series:
        """Return the series of all processes, and whether each of them answers (`up`)."""
        await self._discover()
        apis = [("bulklane-api", url) for url in self._running.urls]
        workers = [("bulklane-worker", url) for url in self._workers]
        scraped = await asyncio.gather(*(self._scrape(job, url) for job, url in apis + workers))
        return {series: value for found in scraped for series, value in found.items()}

    async def fire(self, before: Series, names: Collection[str]) -> None:
        """Wait until exactly these rules fire. Raises AssertionError with what promtool says otherwise."""
        said: list[str] = []

        async def fires() -> bool:
            said.append(await asyncio.to_thread(evaluate, before, await self.scrape(), names))
            return not said[-1]

        try:
            await until(fires, FIRE_SECONDS)
        except TimeoutError:
            raise AssertionError("".join(said[-1:])) from None

    async def _discover(self) -> None:
        """Ask the api where the workers are. While it does not answer, what it said before holds."""
        url = f"{self._running.urls[0]}/operator/v1/metrics-targets"
        status, text = await self._get(url)
        if status == 200:
            ports = [target.rpartition(":")[2] for found in json.loads(text) for target in found["targets"]]
            self._workers = [f"http://{HOST}:{port}" for port in ports]

    async def _scrape(self, job: str, url: str) -> Series:
        status, text = await self._get(f"{url}/metrics")
        own = {"job": job, "instance": url}
        found = {_series("up", own): float(status == 200)}
        if status == 200:
            for (name, labels), value in Scrape.of(text).values.items():
                if name.startswith("bulklane_"):
                    found[_series(name, dict(labels) | own)] = value
        return found

    async def _get(self, url: str) -> tuple[int, str]:
        """Return the status and the text of a page; 0: no answer."""
        limit = aiohttp.ClientTimeout(total=SCRAPE_SECONDS)
        headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
        try:
            async with self._session.get(url, headers=headers, timeout=limit) as response:
                return response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""


def evaluate(before: Series, after: Series, names: Collection[str]) -> str:
    """Return "" if no rule fires before the fault, and exactly these do after it; else what promtool says."""
    assert PROMTOOL is not None
    tests = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": _input(before, after),
                "alert_rule_test": _wanted(after, names),
            }
        ],
    }
    command = [PROMTOOL, "test", "rules", "/dev/stdin"]
    done = subprocess.run(command, input=json.dumps(tests), capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _input(before: Series, after: Series) -> list[dict[str, str]]:
    return [
        {
            "series": series,
            "values": f"{_values(before.get(series), BEFORE)} {_values(after.get(series), AFTER)}",
        }
        for series in before.keys() | after.keys()
    ]


def _values(value: float | None, minutes: int) -> str:
    """Return one value a minute as promtool reads it. None: the series does not exist."""
    return f"_x{minutes}" if value is None else f"{value:.6f}x{minutes - 1}"


def _wanted(after: Series, names: Collection[str]) -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = []
    for name, rule in rules().items():
        waits = int(rule.get("for", "0m").removesuffix("m"))
        alerts = [
            {"exp_labels": labels | rule["labels"], "exp_annotations": rule["annotations"]}
            for labels in (_down(after) if rule["expr"].startswith("up{") else [{}])
        ]
        tests.append({"eval_time": f"{BEFORE - 1}m", "alertname": name, "exp_alerts": []})
        tests.append(
            {
                "eval_time": f"{BEFORE + waits + LOOKS}m",
                "alertname": name,
                "exp_alerts": alerts if name in names else [],
            }
        )
    return tests


def _down(after: Series) -> list[dict[str, str]]:
    """Return the labels of the processes that do not answer."""
    down = [series for series, value in after.items() if series.startswith("up{") and not value]
    return [dict(re.findall(r'(\w+)="([^"]*)"', series)) for series in down]


def _series(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ",".join(f"{label}={json.dumps(labels[label])}" for label in sorted(labels)) + "}"
