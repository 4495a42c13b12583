"""Failpoints act once if armed, and do nothing otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage import failpoints
from storage.failpoints import FailpointError, reach


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(failpoints, "FOLDER", tmp_path)
    return tmp_path


def test_a_step_is_inert_without_a_folder(tmp_path: Path) -> None:
    assert failpoints.FOLDER is None
    reach("apply.before_commit")


def test_an_armed_step_fails_once_and_names_its_process(folder: Path) -> None:
    (folder / "apply.before_commit").write_text("fail")
    reach("apply.after_copy")
    with pytest.raises(FailpointError, match=r"apply\.before_commit"):
        reach("apply.before_commit")
    reach("apply.before_commit")
    assert (folder / f"apply.before_commit.{os.getpid()}").exists()


def test_a_condition_fails_every_time_and_only_if_it_holds(folder: Path) -> None:
    (folder / "prepare.item").write_text("fail lost if poison")
    reach("prepare.item", "good")
    for _ in range(2):
        with pytest.raises(ConnectionError):
            reach("prepare.item", "some poison here")


def test_a_condition_fails_once_where_that_is_asked_for(folder: Path) -> None:
    (folder / "prepare.item").write_text("fail lost once if poison")
    reach("prepare.item", "good")
    with pytest.raises(ConnectionError):
        reach("prepare.item", "some poison here")
    reach("prepare.item", "some poison here")
    assert (folder / f"prepare.item.{os.getpid()}").exists()


def test_an_unknown_action_is_an_error(folder: Path) -> None:
    (folder / "split").write_text("explode")
    with pytest.raises(ValueError, match="unknown action 'explode'"):
        reach("split")


def test_kill_ends_the_process_at_the_step(tmp_path: Path) -> None:
    (tmp_path / "step").write_text("kill\n")
    code = "from storage.failpoints import reach; reach('step'); print('survived')"
    environment = os.environ | {failpoints.VARIABLE: str(tmp_path)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=False, env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")
