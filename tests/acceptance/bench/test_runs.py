"""Each benchmark runs to its end at a tiny size, and writes its results. The figures mean nothing here."""

import json
from pathlib import Path

import pytest

from bench.__main__ import app

TINY = {
    "load": "--rows 1000 --rounds 1 --workers 1",
    "smoke": "--rows 1000 --rounds 1",
    "operations": "--rows 1000 --rounds 1 --workers 1",
    "duplicates": "--contacts 4000 --rounds 1",
    "latency": "--jobs 10 --rounds 1",
    "jobs": "--jobs 10 --connections 2 --rounds 1",
    "queue": "--jobs 10 --accounts 5 --rounds 1",
    "fair": "--rows 1000 --jobs 10 --rounds 1",
    "idle": "--seconds 0.1 --rounds 1",
    "large": "--contacts 2000 --rows 1000 --rounds 1",
    "memory": "--megabytes 10",
    "peers": "--rows 1000 --rounds 1",
    "stages": "--rows 1000 --rounds 1",
    "scale": "--accounts 2 --jobs 100 --seconds 0 --workers 1 --rounds 1 --delay relay",
    "pages": "--contacts 5000 --requests 1 --rounds 1",
    "claims": "--accounts 4 --jobs 10 --streams 3 --measured 5 --seconds 0.2",
}


@pytest.mark.slow
@pytest.mark.timeout(300)  # on a machine that has other work
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_runs_to_its_end_and_writes_its_results(name: str, tmp_path: Path) -> None:
    app([name, *TINY[name].split(), "--results", str(tmp_path)], standalone_mode=False)
    content = json.loads((tmp_path / f"{name}.json").read_text())
    assert content["bench"] == name
    assert content["rows"] or content["targets"]
    assert content["taken"]["commit"]
