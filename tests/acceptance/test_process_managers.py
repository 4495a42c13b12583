"""Run the service with honcho and the Procfile; check workers with `arq --check`."""

import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.service import BIN, REPOSITORY, environment
from tests.servers import TestServers, dying_with_tests
from tests.waiting import wait_for


@pytest.fixture
def env(servers: TestServers, database_url: str, tmp_path: Path) -> dict[str, str]:
    """Return the environment that the README documents."""
    return environment(tmp_path, DATABASE_URL=database_url, REDIS_URL=servers.redis_url, PORT="5600")


def _responds(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_honcho_starts_release_api_and_worker_and_arq_finds_the_worker_healthy(env: dict[str, str]) -> None:
    honcho = subprocess.Popen(
        [BIN / "honcho", "start"],
        cwd=REPOSITORY,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=dying_with_tests(),  # noqa: PLW1509 - it calls one function of libc
    )
    try:
        # honcho adds 100 to PORT for each line of the Procfile; the api is the second line
        wait_for(lambda: _responds("http://127.0.0.1:5700/readyz"), seconds=30)
        check = [str(BIN / "arq"), "--check", "worker.WorkerSettings"]
        wait_for(
            lambda: (
                subprocess.run(check, cwd=REPOSITORY, env=env, check=False, capture_output=True).returncode
                == 0
            ),
            seconds=30,
        )
    finally:
        honcho.send_signal(signal.SIGINT)
        honcho.wait(30)


def test_arq_check_fails_if_no_worker_runs(env: dict[str, str]) -> None:
    env |= {"QUEUE_NAME": f"nobody-{os.getpid()}"}
    check = [str(BIN / "arq"), "--check", "worker.WorkerSettings"]
    assert subprocess.run(check, cwd=REPOSITORY, env=env, check=False, capture_output=True).returncode == 1
