"""Each benchmark runs to its end at a tiny size, and writes its results. The figures mean nothing here."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import series
from bench.__main__ import BENCHES, app, name_of
from bench.lab.targets import TARGETS
from bench.series import SERIES, Entry

SHORT = {"load", "operations", "page", "streams"}  # CI runs all of them: `./run bench all --tiny`
TINY = {name: entry.tiny for name, entry in SERIES.items()} | {"smoke": "--rows 1000 --rounds 1 --workers 1"}


def test_the_series_has_every_benchmark() -> None:
    assert TINY.keys() == {name_of(bench) for bench in BENCHES}


@pytest.mark.slow
@pytest.mark.timeout(300)  # on a machine that has other work
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in TINY]
)
def test_a_benchmark_runs_to_its_end_and_writes_its_results(name: str, tmp_path: Path) -> None:
    app([name, *TINY[name].split(), "--results", str(tmp_path)], standalone_mode=False)
    content = json.loads((tmp_path / f"{name}.json").read_text())
    assert content["bench"] == name
    assert content["rows"] or content["targets"]
    assert content["taken"]["commit"]
    assert {target["target"] for target in content["targets"]} <= TARGETS.keys()


@pytest.mark.timeout(300)
def test_the_series_goes_on_after_a_benchmark_that_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SERIES, "load", Entry(tiny="--rows none"))
    arguments = ["all", "phone", "load", "--tiny", "--results", str(tmp_path)]
    assert app(arguments, standalone_mode=False) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["phone.json"]
    out, errors = capfd.readouterr()
    assert re.findall(r"^--- (\d of 2: bench \w+)", out, re.MULTILINE) == [
        "1 of 2: bench load",
        "2 of 2: bench phone",
    ]
    assert "bench load failed with exit code 2: its results are those of an earlier run" in errors


def test_the_series_stops_a_benchmark_that_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MOST_SECONDS", 0.1)
    assert series.run(["phone"], tmp_path, tiny=True) == ["bench phone was stopped after 0 minutes"]


@pytest.mark.parametrize("arguments", [["--tiny"], ["walks", "--results", "/tmp/none"]])
def test_the_series_refuses_tiny_results_for_the_page_and_unknown_names(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["all", *arguments]).exit_code == 2
