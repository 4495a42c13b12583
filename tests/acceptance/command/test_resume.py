"""`bulklane send` that was interrupted goes on, in another process, and makes one job."""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from bulklane.command.progress import Lines
from bulklane.command.sending import unfinished
from tests.acceptance.client.front import front_of
from tests.acceptance.client.test_client import address
from tests.acceptance.command.calling import Called, Caller, caller_of
from tests.acceptance.service import Service, environment

ROWS = 30_000
LOGIN = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>Welcome to our hotel"
MIB = 2**20


@pytest.fixture
def caller(service: Service) -> Caller:
    """Return a caller in the folder of the service."""
    return caller_of(service)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return a file of some MiB."""
    path = tmp_path / "large file.csv"
    with path.open("w") as out:
        out.write("phone,name\n")
        out.writelines(f"+1646{3_000_000 + number},{'x' * 60}\n" for number in range(ROWS))
    assert path.stat().st_size > 2 * MIB
    return str(path)


class Closed(BaseException):
    """The end of a process, which no code of it survives."""


def interrupt(with_: type[BaseException], after: int = MIB) -> Callable[[Lines, int, int | None], None]:
    """Return a display that ends the command when so many bytes have arrived."""

    def sent(_: Lines, done: int, total: int | None) -> None:
        if done >= after:
            raise with_

    return sent


def interrupted(caller: Caller, *words: str) -> Called:
    """Call a command that is interrupted by Ctrl-C after the first MiB."""
    with patch.object(Lines, "sent", interrupt(KeyboardInterrupt)):
        return caller.call(*words)


def uploads(caller: Caller) -> list[str]:
    """Return the ids of the unfinished uploads."""
    return [upload["id"] for upload in caller.read("uploads", "list")["data"]]


def jobs(caller: Caller, name: str) -> list[str]:
    """Return the states of the jobs with a name."""
    return [job["state"] for job in caller.read("jobs", "list", "--name", name)["data"]]


def test_ctrl_c_says_how_to_go_on_and_the_same_words_do_it(caller: Caller, file: str) -> None:
    stopped = interrupted(caller, "send", file, "--name", "stopped")
    assert (stopped.status, stopped.out) == (130, "")
    assert re.search(
        rf"stopped\. 1\.0 MB of 2\.\d MB are there; go on with: bulklane send --resume '{file}'\n$",
        stopped.err,
    )
    assert file in caller.text("uploads", "list")

    other = caller.call("send", file, "--name", "another job", "--no-wait")
    assert "goes on" not in other.err
    again = caller.call("send", file, "--name", "stopped")

    assert again.status == 0
    assert "large file.csv goes on to http://127.0.0.1:" in again.err
    assert ": 1.0 MB of 2." in again.err
    assert f"completed: {ROWS:,} rows" in again.out
    assert jobs(caller, "stopped") == ["completed"]
    assert uploads(caller) == []


def test_resume_goes_on_after_the_terminal_was_closed(
    caller: Caller, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with patch.object(Lines, "sent", interrupt(Closed)), pytest.raises(Closed):
        caller.call("send", file, "--name", "closed", "--tag", "a")
    monkeypatch.chdir(Path(file).parent)

    assert caller.call("send", "--resume").status == 0

    (job,) = caller.read("jobs", "list", "--name", "closed", "--tag", "a")["data"]
    assert (job["state"], job["total"], job["file_name"]) == ("completed", ROWS, "large file.csv")
    gone = caller.call("send", "--resume", file)
    assert (gone.status, gone.out) == (2, "")
    assert f"no upload of {file} is unfinished: send the file" in gone.err


def test_a_file_that_has_changed_does_not_go_on(caller: Caller, file: str) -> None:
    interrupted(caller, "send", file, "--name", "changed")
    with open(file, "r+") as changed:
        changed.write("phone,nick")

    resumed = caller.call("send", "--resume", file)
    assert resumed.status == 2
    assert "cannot go on, and is cancelled: " in resumed.err
    assert resumed.err.endswith(f"bulklane: send it anew: bulklane send '{file}'\n")
    assert uploads(caller) == []
    assert jobs(caller, "changed") == []


def test_a_file_that_changes_while_it_is_sent_leaves_nothing(caller: Caller, file: str) -> None:
    def change(_: Lines, done: int, total: int | None) -> None:
        os.truncate(file, MIB)

    with patch.object(Lines, "sent", change):
        called = caller.call("send", file, "--name", "changing")
    assert (called.status, "has changed" in called.err) == (2, True)
    assert uploads(caller) == []
    assert jobs(caller, "changing") == []


def test_an_upload_that_was_cancelled_is_sent_anew(caller: Caller, file: str) -> None:
    interrupted(caller, "send", file, "--name", "cancelled")
    (upload,) = uploads(caller)
    with patch("bulklane.command.sending.unfinished.forget"):  # it was cancelled on another machine
        assert caller.text("uploads", "cancel", upload) == f"cancelled {upload}\n"
    assert "(unknown_upload)" in caller.text("uploads", "cancel", upload, status=2)

    again = caller.call("send", file, "--name", "cancelled")

    assert again.status == 0
    assert f"the upload {upload} has expired, or was cancelled" in again.err
    assert jobs(caller, "cancelled") == ["completed"]


def test_two_processes_do_not_send_one_upload(service: Service, caller: Caller, file: str) -> None:
    interrupted(caller, "send", file, "--name", "held")
    (upload,) = uploads(caller)
    with patch.dict(os.environ, environment(service.home)), unfinished.held(upload):
        called = caller.call("send", file, "--name", "held")
        assert called.status == 2
        assert f"another process sends the upload {upload}: wait for it, or add --restart" in called.err
        assert caller.call("send", file, "--name", "held", "--restart").status == 0
    assert caller.call("send", file, "--name", "held").status == 0
    assert len(jobs(caller, "held")) == 2


def test_resume_takes_the_parameters_of_the_first_time(caller: Caller, file: str) -> None:
    called = caller.call("send", "--resume", file, "--operation", "contacts.delete")
    assert called.status == 2
    assert "--resume goes on with the parameters of the first time" in called.err
    assert "which file? Give FILE" in caller.text("send", "--dry-run", status=2)


def test_another_account_of_the_same_service_leaves_an_upload_alone(
    service: Service, caller: Caller, file: str
) -> None:
    service.cli("accounts", "create", "another")
    other = ("--url", service.dev["url"], "--key", service.cli("keys", "create", "another").split()[-1])
    interrupted(caller, "send", file, "--name", "mine")

    assert caller.read("uploads", "list", *other) == {"data": [], "next_cursor": None}
    assert "is one of another account" in caller.text("send", "--resume", *other, status=2)
    sent = caller.call("send", file, "--name", "mine", "--dry-run", *other)
    assert (sent.status, "has expired" in sent.err) == (0, False)

    assert "goes on to" in caller.call("send", file, "--name", "mine").err
    assert jobs(caller, "mine") == ["completed"]


def test_standard_input_that_is_stopped_leaves_nothing(caller: Caller) -> None:
    with patch.object(Lines, "sent", interrupt(KeyboardInterrupt, 0)):
        stopped = caller.call("send", "-", "--format", "csv", "--name", "piped", given="phone\n12\n")
    assert (stopped.status, stopped.err.splitlines()[-1]) == (130, "bulklane: stopped: nothing was applied")
    assert (uploads(caller), jobs(caller, "piped")) == ([], [])

    with patch.object(Lines, "sent", interrupt(KeyboardInterrupt, 1)):
        stopped = caller.call("send", "-", "--format", "csv", "--name", "piped", given="phone\n12\n")
    assert stopped.status == 130
    assert "its job was accepted, and goes on: see `bulklane jobs list`" in stopped.err
    assert len(jobs(caller, "piped")) == 1


async def test_the_answer_of_another_server_costs_no_upload(
    service: Service, caller: Caller, file: str
) -> None:
    async with front_of(address(service)) as front:
        there = ("--url", front.url, "--key", service.dev["api_key"])
        await asyncio.to_thread(interrupted, caller, "send", file, "--name", "hotel", *there)

        loop = asyncio.get_running_loop()

        def roam(_: Lines, done: int, total: int | None) -> None:
            front.answers.extend([LOGIN] * 10)
            loop.call_soon_threadsafe(front.cut)

        with patch.object(Lines, "sent", roam):
            called = await asyncio.to_thread(caller.call, "send", "--resume", file, *there)
        assert called.status == 2, called
        assert "go on with: bulklane send --resume" in called.err
        front.answers.clear()
        assert (await asyncio.to_thread(caller.call, "send", "--resume", file, *there)).status == 0
    assert jobs(caller, "hotel") == ["completed"]
