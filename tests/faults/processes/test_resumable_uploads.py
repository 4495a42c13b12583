"""Break resumable uploads: cut the connection, kill the api, at any step. An upload makes one job."""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from bulklane import AsyncBulklane, RetryPolicy
from bulklane._async.upload import APPEND_BYTES
from tests.factories import phone
from tests.faults.harness import invariants
from tests.faults.harness.client import PatientClient, counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once
from tests.proxy import Proxy, proxy

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENT = RetryPolicy(first=0.05, longest=0.5)
HEADS = 8 * 1024  # of the requests of a cut: the cut one, HEAD, the next one
MOST_MEMORY = 150 * 1024 * 1024  # of a process


def lines(rows: int, size: int) -> Iterator[str]:
    """Yield the lines of a CSV file, each of `size` bytes, with one contact a row."""
    yield f"phone,nickname,{'Notes':<{size - 16}}\n"
    for number in range(rows):
        start = f"{phone(number)},once,"
        yield f"{start}{'x' * (size - 1 - len(start))}\n"


class Line:
    """A proxy in front of an api, which counts what the client sends, and cuts when it is told to."""

    def __init__(self, line: Proxy) -> None:
        self._line = line
        self._cut_at = float("inf")
        self.sent = 0
        self.cuts = 0
        line.cut_at = self._count

    def cut_after(self, bytes_: int) -> None:
        """Cut the connection when so many more bytes were sent."""
        self._cut_at = self.sent + bytes_

    def _count(self, data: bytes) -> bool:
        self.sent += len(data)
        if self.sent < self._cut_at:
            return False
        self._cut_at = float("inf")
        self.cuts += 1
        return True


class Breaking:
    """Breaks an upload while it goes on: cuts and kills in turn, at even distances."""

    def __init__(self, running: Cluster, line: Line, size: int, *, faults: int) -> None:
        self._running = running
        self._line = line
        self._every = size // (faults + 1)
        self._faults = faults
        self._tasks: list[asyncio.Task[None]] = []
        self.kills = 0
        self.memory = 0  # bytes: the most of the api

    def __call__(self, arrived: int, total: int | None) -> None:
        """Break, if it is time to."""
        self.memory = max(self.memory, _memory_of(self._running.apis[0].pid))
        done = self.kills + self._line.cuts
        if done == self._faults or arrived < (done + 1) * self._every:
            return
        if done % 2:
            self.kills += 1
            self._tasks.append(asyncio.create_task(self._running.apis[0].kill()))
        else:
            self._line.cut_after(APPEND_BYTES // 2)

    async def end(self) -> None:
        """Wait for the kills."""
        await asyncio.gather(*self._tasks)


def _memory_of(pid: int | None) -> int:
    """Return the most resident memory that a process has had; 0: it is dead."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


async def _client_of(running: Cluster, client: PatientClient, line: Proxy) -> AsyncBulklane:
    http = httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(line.path)))
    return AsyncBulklane(key=client.key, url=running.urls[0], retry=PATIENT, http=http)


FORMS = [
    pytest.param(6_000, 1_000, 6, id="6 MB, 3 cuts, 3 kills"),
    pytest.param(
        1_000_000,
        1_074,
        20,
        id="1 GiB, 10 cuts, 10 kills",
        marks=[pytest.mark.long, pytest.mark.timeout(1800)],
    ),
]


@pytest.mark.parametrize(("rows", "row_bytes", "faults"), FORMS)
async def test_cuts_and_kills_cost_at_most_the_last_mib_each(
    running: Cluster, tmp_path: Path, rows: int, row_bytes: int, faults: int
) -> None:
    file = tmp_path / "rows.csv"
    with file.open("w") as written:
        written.writelines(lines(rows, row_bytes))
    size = file.stat().st_size
    client = await running.client()
    host, port = running.urls[0].removeprefix("http://").split(":")
    async with proxy(tmp_path / "api.sock", (host, int(port))) as line:
        counted = Line(line)
        bulklane = await _client_of(running, client, line)
        upload = await bulklane.uploads.create(file, columns={"Notes": None})
        breaking = Breaking(running, counted, size, faults=faults)
        job = await upload.send(breaking, patience=120)
        await breaking.end()
        await bulklane.aclose()
    requests = size // APPEND_BYTES + 1
    again = counted.sent - size - requests * 1024
    memory = _memory_of(os.getpid())
    print(
        f"{size} bytes, {counted.cuts} cuts, {breaking.kills} kills: {again} bytes sent again, "
        f"{breaking.memory >> 20} MiB of the api, {memory >> 20} MiB of the test with the client"
    )
    assert (counted.cuts, breaking.kills) == (faults // 2, faults // 2)
    assert again <= faults * (APPEND_BYTES + HEADS)
    assert breaking.memory < MOST_MEMORY
    client.accepted.append(job.id)
    ended = await client.ended(job.id, seconds=900)
    assert (ended["state"], counts(ended)) == ("completed", {"created": rows})
    (row,) = await running.sql("SELECT count(*) AS jobs FROM jobs WHERE account_id = $1", client.account_id)
    assert row["jobs"] == 1
    await invariants.hold(running)
    await assert_once(running, client, {"once": rows})


@pytest.mark.parametrize(
    ("step", "action"),
    [
        ("upload.piece", "kill"),
        ("upload.attempt", "kill"),
        ("part.stored", "kill"),
        ("accept.before_commit", "kill"),
        ("accept.after_commit", "kill"),
        ("accept.before_commit", "fail lost"),
    ],
)
async def test_an_api_that_dies_at_any_step_leaves_one_job(
    running: Cluster, step: str, action: str, tmp_path: Path
) -> None:
    client = await running.client()
    rows = 2_500  # several pieces, several parts
    file = tmp_path / "rows.csv"
    file.write_text("".join(lines(rows, 1_000)))
    async with AsyncBulklane(key=client.key, url=running.urls[0], retry=PATIENT) as bulklane:
        upload = await bulklane.uploads.create(file, columns={"Notes": None})
        running.steps.arm(step, action)
        job = await upload.send(patience=60)
    await running.steps.taken(step)
    client.accepted.append(job.id)
    assert counts(await client.ended(job.id)) == {"created": rows}
    (row,) = await running.sql("SELECT count(*) AS jobs FROM jobs WHERE account_id = $1", client.account_id)
    assert row["jobs"] == 1
    await invariants.hold(running)
    await assert_once(running, client, {"once": rows})


async def test_a_process_that_was_stopped_while_it_made_the_job_makes_no_second_one(
    running: Cluster, tmp_path: Path
) -> None:
    """It goes on when another process has made the job, and stores parts of a job that does not exist."""
    other = await running.add_api() if len(running.apis) == 1 else running.apis[1]
    client = await running.client()
    rows = 2_500
    file = tmp_path / "rows.csv"
    file.write_text("".join(lines(rows, 1_000)))
    async with (
        AsyncBulklane(key=client.key, url=running.urls[0], retry=PATIENT) as first,
        AsyncBulklane(key=client.key, url=running.urls[1], retry=PATIENT) as second,
    ):
        upload = await first.uploads.create(file, columns={"Notes": None})
        running.steps.arm("part.stored", "stop")
        sending = asyncio.create_task(upload.send(patience=60))
        await running.steps.stopped_at("part.stored")
        again = await second.uploads.resume(upload.id, file)
        job = await again.send(patience=60)
        running.apis[0].thaw()
        assert (await sending).id == job.id
    client.accepted.append(job.id)
    assert counts(await client.ended(job.id)) == {"created": rows}
    (row,) = await running.sql("SELECT count(*) AS jobs FROM jobs WHERE account_id = $1", client.account_id)
    assert row["jobs"] == 1
    await invariants.hold(running)
    assert other.pid is not None
