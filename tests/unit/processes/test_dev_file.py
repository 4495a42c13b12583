"""dev.json is private, replaced atomically, and valid only while its supervisor runs."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.servers import processes
from embedded.supervisor import dev_file, lock
from embedded.supervisor.dev_file import DevFile
from embedded.supervisor.options import SupervisorError

CONTENT = DevFile(
    url="http://127.0.0.1:8080",
    api_key="key_1",
    operator_key="op_1",
    database_url="postgresql://bulklane@/bulklane?host=%2Ftmp",
    redis_url="unix:///tmp/valkey.sock",
    pids={"postgres": [1], "valkey": [2], "api": [3], "worker": [4, 5]},
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_a_saved_file_is_loaded_only_while_the_home_is_locked(home: Path) -> None:
    with lock.hold(home):
        dev_file.save(home, CONTENT)

        assert dev_file.load(home) == CONTENT
    assert dev_file.load(home) is None


def test_the_file_has_the_documented_fields_and_only_its_owner_can_read_it(home: Path) -> None:
    dev_file.save(home, CONTENT)

    path = home / "dev.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())) == {
        "url", "api_key", "operator_key", "database_url", "redis_url", "pids",
    }  # fmt: skip
    assert [file.name for file in home.iterdir() if file.is_file()] == ["dev.json"]


def test_a_reader_keeps_the_old_file_when_it_is_replaced(home: Path) -> None:
    dev_file.save(home, CONTENT)
    with (home / "dev.json").open() as reader:
        dev_file.save(home, CONTENT)

        assert json.load(reader)["url"] == CONTENT.url


def test_the_file_of_a_killed_supervisor_is_ignored(home: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    processes.save(home / "run" / "lock", processes.Mark(dead.pid, "boot/1"))
    dev_file.save(home, CONTENT)

    assert dev_file.load(home) is None


def test_a_pid_that_now_belongs_to_another_program_is_ignored(home: Path) -> None:
    processes.save(home / "run" / "lock", processes.Mark(os.getpid(), "boot/1"))
    dev_file.save(home, CONTENT)

    assert dev_file.load(home) is None


def test_a_second_supervisor_reports_where_the_first_one_serves(home: Path) -> None:
    with lock.hold(home):
        dev_file.save(home, CONTENT)

        with pytest.raises(SupervisorError, match=rf"{CONTENT.url} \(pid {os.getpid()}\)"), lock.hold(home):
            pass


def test_a_home_can_be_locked_again_after_its_release(home: Path) -> None:
    with lock.hold(home):
        pass
    with lock.hold(home):
        pass
