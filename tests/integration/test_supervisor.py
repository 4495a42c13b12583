"""The supervisor restarts its processes, writes dev.json, and leaves no process behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.servers import processes
from tests.servers import dying_with_tests
from tests.waiting import wait_for

DEADLINE_SECONDS = 20

RUN = """
import asyncio, dataclasses, sys
from pathlib import Path
from rich.console import Console
from embedded.supervisor.options import Options, SupervisorError
from embedded.supervisor.supervisor import Supervisor
from embedded.servers import EmbeddedError

async def demo_key(database_url, known_key):
    return known_key or "key_of_the_first_start"

home, port = Path(sys.argv[1]), int(sys.argv[2])
options = Options(
    home=home, host="127.0.0.1", port=port, database_url="postgresql://nowhere/none",
    redis_url="redis://nowhere/0", workers=2, procfile=home.parent / "Procfile", ensure_demo_key=demo_key,
)
try:
    asyncio.run(Supervisor(options, Console()).run())
except (SupervisorError, EmbeddedError) as error:
    sys.exit(str(error))
"""
API = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *words):
        pass
assert os.environ["DATABASE_URL"] == "postgresql://nowhere/none"
assert os.environ["REDIS_URL"] == "redis://nowhere/0"
http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""
WORKER = "import signal; print('working'); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf')\nwhile True: signal.pause()"
)


class Service:
    """A supervisor of fake programs, in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.write(api=API, worker=WORKER)
        self._runs: list[subprocess.Popen[str]] = []

    def write(self, *, api: str = API, worker: str = WORKER, release: str = "true") -> None:
        (self.folder / "api.py").write_text(api)
        (self.folder / "worker.py").write_text(worker)
        (self.folder / "Procfile").write_text(
            f"release: {release}\napi: python api.py\nworker: python worker.py\n"
        )

    def run(self, port: int = 0) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.home), str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=dying_with_tests(),  # noqa: PLW1509 - it calls one function of libc
        )
        self._runs.append(process)
        return process

    def start(self) -> "subprocess.Popen[str]":
        process = self.run()
        until(lambda: self.is_serving(process))
        return process

    def is_serving(self, process: "subprocess.Popen[str]") -> bool:
        if process.poll() is not None:
            pytest.fail(f"the supervisor ended: {process.stdout and process.stdout.read()}")
        return (self.home / "dev.json").exists()

    def dev(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.home / "dev.json").read_text())
        return content

    def pids(self) -> list[int]:
        return [pid for pids in self.dev()["pids"].values() for pid in pids]

    def end(self) -> None:
        for process in self._runs:
            process.kill()
            process.communicate()


@pytest.fixture
def service() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="bulklane supervisor "))
    service = Service(folder)
    yield service
    service.end()
    shutil.rmtree(folder)


def test_dev_json_names_urls_keys_and_pids(service: Service) -> None:
    service.start()

    dev = service.dev()

    assert dev["api_key"] == "key_of_the_first_start"
    assert len(dev["operator_key"]) > 40
    assert dev["database_url"] == "postgresql://nowhere/none"
    assert {role: len(pids) for role, pids in dev["pids"].items()} == {
        "postgres": 0,
        "valkey": 0,
        "api": 1,
        "worker": 2,
    }
    assert all(runs(pid) for pid in service.pids())
    port = int(dev["url"].rpartition(":")[2])
    socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_killed_process_is_restarted(service: Service, role: str) -> None:
    service.start()
    victim = service.dev()["pids"][role][0]
    others = set(service.pids()) - {victim}

    os.kill(victim, signal.SIGKILL)

    until(lambda: victim not in service.pids() and len(service.pids()) == 3)
    assert others < set(service.pids())
    assert all(runs(pid) for pid in service.pids())


def test_a_process_that_keeps_dying_is_restarted_each_time(service: Service) -> None:
    service.write(worker="print('born')")

    service.start()

    log = service.home / "log" / "worker-1.log"
    until(lambda: log.read_text().count("born") >= 4)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(service: Service, number: signal.Signals) -> None:
    supervisor = service.start()
    pids = service.pids()

    supervisor.send_signal(number)

    assert supervisor.wait(DEADLINE_SECONDS) == 0
    assert not any(runs(pid) for pid in pids)
    assert not (service.home / "dev.json").exists()


def test_a_second_ctrl_c_stops_at_once(service: Service) -> None:
    service.write(worker=STUBBORN)
    supervisor = service.start()
    pids = service.pids()
    [api] = service.dev()["pids"]["api"]
    logs = [service.home / "log" / f"worker-{number}.log" for number in (1, 2)]
    until(lambda: all("deaf" in log.read_text() for log in logs))
    supervisor.send_signal(signal.SIGINT)
    until(lambda: not runs(api))  # the workers are stopped next

    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(5) == 0  # the first Ctrl-C alone takes 20 seconds
    assert not any(runs(pid) for pid in pids)


def test_no_process_outlives_a_killed_supervisor(service: Service) -> None:
    supervisor = service.start()
    pids = service.pids()

    supervisor.kill()

    until(lambda: not any(runs(pid) for pid in pids))


def test_a_process_that_outlives_its_supervisor_is_ended_by_the_next_one(service: Service) -> None:
    service.write(worker=STUBBORN)
    supervisor = service.start()
    logs = [service.home / "log" / f"worker-{number}.log" for number in (1, 2)]
    until(lambda: all("deaf" in log.read_text() for log in logs))
    deaf = service.dev()["pids"]["worker"]
    supervisor.kill()
    supervisor.wait()
    assert all(runs(pid) for pid in deaf)
    (service.home / "dev.json").unlink()
    service.write()  # workers that end with their supervisor, at the end of this test

    service.start()

    assert not any(runs(pid) for pid in deaf)
    assert service.dev()["api_key"] == "key_of_the_first_start"


def test_another_program_with_a_recorded_pid_is_not_stopped(service: Service) -> None:
    supervisor = service.start()
    supervisor.kill()
    until(lambda: not any(runs(pid) for pid in service.pids()))
    (service.home / "dev.json").unlink()
    with subprocess.Popen(["sleep", "60"]) as other:
        file = service.home / "run" / "worker-1.pid"
        file.write_text(f"{other.pid} {file.read_text().split()[1]}\n")

        service.start()

        assert other.poll() is None
        other.kill()


def test_a_second_start_reports_the_url_of_the_first(service: Service) -> None:
    supervisor = service.start()

    output, _ = service.run().communicate(timeout=DEADLINE_SECONDS)

    assert f"already running at {service.dev()['url']} (pid {supervisor.pid})" in output


def test_a_port_in_use_is_reported(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        output, _ = service.run(port).communicate(timeout=DEADLINE_SECONDS)

    assert f"port {port} is in use" in output
    assert f"PORT={port + 1}" in output


def test_an_api_that_cannot_start_shows_its_log_and_leaves_no_process(service: Service) -> None:
    service.write(api="raise SystemExit('no such luck')")

    supervisor = service.run()
    output, _ = supervisor.communicate(timeout=DEADLINE_SECONDS)

    assert supervisor.returncode == 1
    assert "no such luck" in output
    assert not list((service.home / "run").glob("*.pid"))


def test_a_failed_release_starts_nothing(service: Service) -> None:
    service.write(release="sh -c 'echo no schema; exit 3'")

    output, _ = service.run().communicate(timeout=DEADLINE_SECONDS)

    assert "release ended with 3" in output
    assert "no schema" in output
    assert not (service.home / "log" / "api.log").exists()


def runs(pid: int) -> bool:
    return processes.mark(pid) is not None


def until(condition: Callable[[], bool]) -> None:
    wait_for(condition, seconds=DEADLINE_SECONDS)
