"""`bulklane send`: what it prints, writes and returns."""

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from subprocess import PIPE
from typing import IO

import pytest

from bulklane import Bulklane
from tests.acceptance.command.calling import Caller, caller_of, ended, start
from tests.acceptance.service import BIN, Service, environment

SECONDS = 30.0
GOOD = "phone,name\n+14155552671,Ana\n+14155552672,Rui\n"
BAD = "Mobile No.,name,Notes\n+14155552671,Ana,x\n12,Rui,y\n"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def caller(service: Service) -> Caller:
    """Return a caller in the folder of the service."""
    return caller_of(service)


def file_of(folder: Path, text: str, name: str = "contacts.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_good_file_ends_with_0_and_its_counts(caller: Caller, tmp_path: Path) -> None:
    called = caller.call("send", file_of(tmp_path, GOOD), "--name", "good", "--tag", "a", "--tag", "b")

    assert called.status == 0
    assert re.fullmatch(r"job_\w{26} completed: 2 rows, [12] .*\n", called.out)
    assert "contacts.csv goes to http://127.0.0.1:" in called.err
    assert f"\n{len(GOOD)} bytes sent\n" in called.err
    (job,) = caller.read("jobs", "list", "--name", "good", "--tag", "b")["data"]
    assert (job["tags"], job["file_name"]) == (["a", "b"], "contacts.csv")


def test_a_bad_row_ends_with_1_and_stands_in_the_file_of_errors(caller: Caller, tmp_path: Path) -> None:
    bad, results = tmp_path / "bad.csv", tmp_path / "results.ndjson"

    words = ["send", file_of(tmp_path, BAD), "-m", "Mobile No.=phone", "--drop", "Notes"]
    called = caller.call(*words, "--errors-to", str(bad), "--results-to", str(results))

    assert called.status == 1
    assert "1 failed" in called.out
    assert "1 phone_too_short (phone), first at index 1: " in called.out
    assert f"correct the rows in {bad}, and send that file" in called.err
    assert bad.read_text().splitlines()[1].startswith("12,Rui,")
    assert [json.loads(line)["index"] for line in results.read_text().splitlines()] == [0, 1]
    bad.write_text(bad.read_text().replace("12,", "+14155552673,"))
    assert caller.call("send", str(bad), "-m", "Mobile No.=phone", "--drop", "Notes").status == 0


def test_a_file_that_is_refused_ends_with_2_and_the_cause(caller: Caller, tmp_path: Path) -> None:
    called = caller.call("send", file_of(tmp_path, BAD), "--json")

    assert (called.status, called.out) == (2, "")
    *_, message, _, cure = called.err.splitlines()
    assert message.startswith("bulklane: 'Mobile No.' is not a known column.")
    assert re.search(r"refuses the file\. \(unknown_columns\) \[req_\w+\]$", message)
    assert cure == "bulklane: here: --map COLUMN=FIELD, --drop COLUMN or --param unknown_columns=keep"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["contacts.csv", "-o", "contacts.merge"],
            "--operation 'contacts.merge': use one of contacts.upsert",
        ),
        (["contacts.csv", "-p", "region"], "--param 'region': write NAME=VALUE"),
        (["contacts.csv", "-p", "name=a", "--name", "b"], "the parameter 'name' is given twice"),
        (["contacts.csv", "-p", "colour=red"], "(unknown_parameter)"),
        (["contacts.csv", "-m", "Mobile"], "--map 'Mobile': write COLUMN=FIELD"),
        (["contacts.csv", "--no-wait", "--timeout", "3"], "need the end of the job: leave --no-wait out"),
        (["contacts.csv", "--errors-to", "contacts.csv"], "write into another one"),
        (
            ["contacts.csv", "--errors-to", "no/bad.csv"],
            "no/bad.csv cannot be written: there is no",
        ),
        (["contacts.csv", "--timeout", "soon"], "see `bulklane send --help`"),
        (["gone.csv"], "gone.csv: No such file or directory"),
        (["."], ". is a folder: give a file"),
        (["-"], "what is the format of standard input? Give --format"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(
    caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, GOOD)

    called = caller.call("send", *words)

    assert (called.status, called.out) == (2, "")
    assert message in called.err
    assert "Traceback" not in called.err


def test_a_dry_run_changes_nothing(caller: Caller, tmp_path: Path) -> None:
    words = ["send", file_of(tmp_path, "phone\n+14155552699\n"), "--dry-run"]

    assert "1 created (dry run: nothing was changed)" in caller.text(*words)
    assert caller.read("contacts", "list", "--search", "14155552699")["data"] == []


def test_with_json_the_job_is_all_that_is_printed(caller: Caller, tmp_path: Path) -> None:
    job = caller.read("send", file_of(tmp_path, GOOD))
    assert (job["state"], job["total"]) == ("completed", 2)
    assert caller.read("send", file_of(tmp_path, GOOD), "--no-wait")["id"].startswith("job_")


def test_standard_input_is_sent_and_the_result_can_be_piped(service: Service) -> None:
    done = subprocess.run(
        f"printf '{GOOD}' | '{BIN}/bulklane' send - --format csv --no-wait | tee /dev/stderr | head -1",
        shell=True,
        env=environment(service.home),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert re.fullmatch(r"job_\w{26}\n", done.stdout)
    assert "\x1b" not in done.stdout + done.stderr


async def test_ctrl_c_while_waiting_leaves_the_job_alone(service: Service, tmp_path: Path) -> None:
    file = file_of(tmp_path, GOOD)
    with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
        client.jobs.submit(file).wait(SECONDS)
        async with service.locked_contact("+14155552671"):
            process = start(service, "send", file, "--name", "interrupted", stderr=PIPE)
            with ended(process):
                assert process.stderr is not None
                said = await asyncio.to_thread(_until_said, process.stderr, "job_")
                process.send_signal(signal.SIGINT)
                rest = await asyncio.to_thread(process.stderr.read)
                assert process.wait(SECONDS) == 130
            (job,) = client.jobs.list(name="interrupted")
            assert job.id in said
            assert f"bulklane: {job.id} goes on: bulklane jobs watch {job.id}" in rest.decode()
        assert job.wait(SECONDS).state == "completed"


async def test_a_timeout_ends_the_wait_and_not_the_job(
    service: Service, caller: Caller, tmp_path: Path
) -> None:
    file = file_of(tmp_path, GOOD)
    assert caller.call("send", file).status == 0
    async with service.locked_contact("+14155552671"):
        called = await asyncio.to_thread(caller.call, "send", file, "--timeout", "0.2", "--name", "late")
        assert called.status == 2
        assert "has not ended within 0.2 seconds" in called.err
    (job,) = caller.read("jobs", "list", "--name", "late")["data"]
    assert caller.call("jobs", "watch", job["id"]).status == 0


async def test_a_terminal_shows_bars_with_colours(service: Service, tmp_path: Path) -> None:
    file = file_of(tmp_path, GOOD)
    ours, theirs = pty.openpty()
    process = start(service, "send", file, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    with ended(process):
        shown = await asyncio.to_thread(_everything, ours)
        assert process.wait(SECONDS) == 0
    assert "\x1b[" in shown
    plain = ESCAPE.sub("", shown)
    assert "━" in plain
    assert re.search(rf"upload\s+━+\s+{len(GOOD)} bytes sent", plain)
    assert re.search(r"job\s+━+\s+completed, 2 of 2 rows", plain)


def _until_said(stream: IO[bytes], text: str) -> str:
    """Return the line with a text."""
    return next(line for line in map(bytes.decode, stream) if text in line)


def _everything(terminal: int) -> str:
    """Read until the process has closed the terminal."""
    found = b""
    try:
        while data := os.read(terminal, 65536):
            found += data
    except OSError:  # Linux: EIO at the end
        pass
    os.close(terminal)
    return found.decode()
