"""A temporary service for a benchmark: the real processes, started with `bulklane serve`."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded.servers import open_home

READY_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """The URLs of the service, and the key of its demo account, which has no limits here."""

    url: str
    api_key: str
    database_url: str


@contextmanager
def running_service(workers: int) -> Iterator[Service]:
    """Run `bulklane serve` with its own servers in a temporary folder while the body runs."""
    with tempfile.TemporaryDirectory(prefix="bulklane-bench-") as home:
        env = {"BULKLANE_HOME": home, "PORT": "0", "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
        log = Path(home, "serve.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bulklane", "serve", "--workers", str(workers)], env=env, stdout=output, stderr=output
            )
        try:
            dev = _wait_ready(Path(home, "dev.json"), process, log)
            limits = ["--item-limit", "0", "--request-limit", "0"]
            subprocess.run(["bulklane", "accounts", "set", "demo", *limits], env=env, check=True, stdout=-3)
            yield Service(url=dev["url"], api_key=dev["api_key"], database_url=dev["database_url"])
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
            shutil.rmtree(open_home(Path(home)).state, ignore_errors=True)  # root's is outside of the home


def _wait_ready(dev_file: Path, process: "subprocess.Popen[bytes]", log: Path) -> dict[str, str]:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if dev_file.exists() and (dev := json.loads(dev_file.read_text())).get("api_key"):
            ready: dict[str, str] = dev
            return ready
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start:\n{log.read_text()[-2000:]}")
