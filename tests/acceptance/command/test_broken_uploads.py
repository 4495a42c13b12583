"""`bulklane send` through cuts and deaths of the api: one job, little is sent twice, memory stays small."""

import asyncio
import json
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from tests.acceptance.client.front import Front, front_of
from tests.acceptance.client.test_client import address
from tests.acceptance.command.calling import ended, start
from tests.acceptance.service import Service
from tests.waiting import until

MIB = 2**20
MOST_MEMORY = 150 * 1000 * 1000
HEADS = 2048  # bytes of the head of a request, and of the question where an upload stands, at most
SECONDS = 3000.0


def write_rows(path: Path, size: int) -> tuple[int, int]:
    """Write a file of at least this size; return its number of rows, and of the bad ones among them."""
    rows = bad = 0
    with path.open("w") as file:
        file.write("phone,name,email,metadata.note\n")
        while file.tell() < size:
            numbers = range(rows, rows + 999)
            file.writelines(
                f"+1415{2_000_000 + n % 7_000_000},Ana {n},ana{n}@example.com,{'x' * 900}\n" for n in numbers
            )
            file.write("12,Rui,,\n")
            rows, bad = rows + 1000, bad + 1
    return rows, bad


def peak(pid: int) -> int:
    """Return the largest memory that a process had, in bytes; 0 if it is dead."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


async def break_all(front: Front, service: Service, size: int, faults: int) -> None:
    """Cut all connections, or kill the api, in turn, each time that a further part of the file has passed."""
    for number in range(1, faults + 1):
        while front.passed < number * size // (faults + 1):
            await asyncio.wait_for(front.moved(), SECONDS)
        if number % 2:
            front.cut()
        else:
            service.kill("api")


async def finish(process: "Popen[bytes]", service: Service) -> tuple[Any, int, int]:
    """Wait for the command; return the job that it prints, and the peaks of its memory and of the apis."""
    peaks = {"client": 0, "api": 0}

    async def is_over() -> bool:
        peaks["client"] = max(peaks["client"], peak(process.pid))
        peaks["api"] = max([peaks["api"], *map(peak, service.pids("api"))])
        return process.poll() is not None

    await until(is_over, SECONDS)
    out, err = process.communicate()
    assert process.returncode == 1, err.decode()
    return json.loads(out), peaks["client"], peaks["api"]


@pytest.mark.parametrize(
    ("least", "faults"),
    [
        (6 * MIB, 4),
        pytest.param(10**9, 20, marks=[pytest.mark.long, pytest.mark.timeout(SECONDS)]),
    ],
)
async def test_a_file_becomes_one_job_through_cuts_and_deaths(
    service: Service, tmp_path: Path, least: int, faults: int
) -> None:
    file = tmp_path / "large.csv"
    rows, bad = write_rows(file, least)
    size = file.stat().st_size
    async with front_of(address(service)) as front:
        words = ["send", str(file), "--url", front.url, "--key", service.dev["api_key"], "--name", str(size)]
        process = start(service, *words, "--json", stdout=PIPE, stderr=PIPE)
        with ended(process):
            async with asyncio.TaskGroup() as group:
                group.create_task(break_all(front, service, size, faults))
                finishing = group.create_task(finish(process, service))
        job, of_client, of_api = finishing.result()
        again = front.passed - size
    print(
        f"{size:,} bytes, {faults} faults: {again:,} more bytes, client {of_client:,}, api {of_api:,} bytes"
    )
    assert (job["total"], job["counts"]["failed"], job["counts"]["pending"]) == (rows, bad, 0)
    assert [one["id"] for one in (await service.get(f"/v1/jobs?name={size}"))["data"]] == [job["id"]]
    assert again < faults * MIB + (size // MIB + 10 * faults) * HEADS
    assert of_client < MOST_MEMORY
    assert of_api < MOST_MEMORY
