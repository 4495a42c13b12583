"""`./run bench all`: all benchmarks one after the other, and then `report`.

Each runs in a process of its own with the options below. One that fails, or takes more than MOST_SECONDS,
stops no other: its file keeps the results of an earlier run, and the end says so.
"""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MOST_SECONDS = 900.0
STOP_SECONDS = 60.0  # for its servers, after SIGTERM


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The options of a benchmark: at the size of the page, and at a size that only shows that it runs."""

    full: str = ""
    tiny: str


# The ones that the goals are about come first. Options that are not named have their defaults.
SERIES = {
    "load": Entry(tiny="--rows 1000 --rounds 1 --workers 1"),
    "operations": Entry(tiny="--rows 1000 --rounds 1 --workers 1"),
    "latency": Entry(full="--jobs 200", tiny="--jobs 10 --rounds 1 --workers 1"),
    "jobs": Entry(tiny="--jobs 10 --connections 2 --rounds 1 --workers 1"),
    "queue": Entry(tiny="--jobs 10 --accounts 5 --rounds 1 --workers 1"),
    "fair": Entry(full="--jobs 100", tiny="--rows 1000 --jobs 10 --rounds 1 --workers 1"),
    "large": Entry(tiny="--contacts 2000 --rows 1000 --rounds 1 --workers 1"),
    "duplicates": Entry(tiny="--contacts 4000 --rounds 1 --large 6000 --workers 1"),
    "pages": Entry(full="--rows 50000", tiny="--contacts 5000 --requests 1 --rows 1000 --rounds 1"),
    "page": Entry(tiny="--jobs 1000 --requests 1"),
    "claims": Entry(tiny="--accounts 4 --jobs 10 --streams 3 --measured 2 --rounds 1 --seconds 0.2"),
    "stages": Entry(tiny="--rows 1000 --jobs 10 --rounds 1 --workers 1"),
    "peers": Entry(tiny="--rows 1000 --rounds 1 --workers 1"),
    "telemetry": Entry(tiny="--rows 1000 --jobs 10 --rounds 1 --workers 1"),
    "undo": Entry(full="--rows 100000", tiny="--rows 1000 --jobs 10 --rounds 1 --workers 1"),
    "undone": Entry(full="--rows 300000", tiny="--rows 1000 --rounds 1 --workers 1"),
    "idle": Entry(full="--seconds 10", tiny="--seconds 0.1 --rounds 1 --workers 1"),
    "streams": Entry(tiny="--streams 20 --rounds 1"),
    "memory": Entry(tiny="--megabytes 10 --workers 1"),
    "scale": Entry(tiny="--accounts 2 --jobs 100 --seconds 0 --workers 1 --rounds 1 --delay relay"),
    "phone": Entry(full="--numbers 200000", tiny="--numbers 500 --timed 500"),
}


def run(names: list[str], folder: Path, *, tiny: bool) -> list[str]:
    """Run benchmarks of SERIES in its order, and print what runs. Return why those failed that did."""
    failures, started = [], time.perf_counter()
    chosen = [name for name in SERIES if name in names or not names]
    for position, name in enumerate(chosen, 1):
        options = SERIES[name].tiny if tiny else SERIES[name].full
        _say(f"{position} of {len(chosen)}: bench {name} {options}".rstrip())
        begun = time.perf_counter()
        failure = _run_one([name, *options.split(), "--results", str(folder)])
        if failure:
            failures.append(f"bench {name} {failure}")
        _say(f"bench {name} {failure or 'ended'}: {_minutes(begun)}, {_minutes(started)} in all")
    return failures


def _run_one(arguments: list[str]) -> str:
    """Run one benchmark. Return why it failed, or an empty text."""
    process = subprocess.Popen([sys.executable, "-m", "bench", *arguments])
    try:
        code = process.wait(MOST_SECONDS)
        return f"failed with exit code {code}" if code else ""
    except subprocess.TimeoutExpired:
        return f"was stopped after {MOST_SECONDS / 60:.0f} minutes"
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let a benchmark that still runs stop its servers, also after Ctrl-C."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _minutes(since: float) -> str:
    minutes, seconds = divmod(round(time.perf_counter() - since), 60)
    return f"{minutes}:{seconds:02}"


def _say(text: str) -> None:
    print(f"--- {text}", flush=True)
