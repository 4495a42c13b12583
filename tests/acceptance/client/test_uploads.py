"""A resumable upload of the client goes on after cuts and deaths, sends little twice, and becomes one job."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bulklane import AsyncBulklane, Bulklane, InvalidRequestError, NotFoundError, ServerError, SourceError
from bulklane._async.upload import APPEND_BYTES
from tests.acceptance.client.front import front_of, refusal
from tests.acceptance.client.test_client import (
    PATIENT,
    QUICK,
    SECONDS,
    address,
    client_of,
    once,
    rows,
    slowly,
    through_proxy,
)
from tests.acceptance.service import Service

LINES = 60_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file of 5 MB; all its rows are dry."""
    path = tmp_path_factory.mktemp("files") / "large.csv"
    body = "".join(f"+1415{5_550_000 + n % 9_000},{'x' * 60} {n}\n" for n in range(LINES))
    path.write_text(f"phone,name\n{body}")
    return path


def _size(path: Path) -> int:
    return path.stat().st_size


def _file_of(folder: Path, body: bytes) -> Path:
    path = folder / "wrong.csv"
    path.write_bytes(body)
    return path


async def test_a_cut_costs_at_most_the_last_request(service: Service, tmp_path: Path, large: Path) -> None:
    size = _size(large)
    async with through_proxy(service, tmp_path) as (line, client):
        told: list[tuple[int, int | None]] = []
        upload = await client.uploads.create(large, dry_run=True, name="cuts")
        sent = 0

        def cut_sometimes(data: bytes) -> bool:
            nonlocal sent
            sent += len(data)
            return line.accepted < 4 and sent > line.accepted * size // 4

        line.cut_at = cut_sometimes
        job = await upload.send(lambda *progress: told.append(progress))
        assert line.accepted == 4
        assert (told[0], told[-1]) == ((0, size), (size, size))
        assert [arrived for arrived, _ in told] == sorted(arrived for arrived, _ in told)
        assert sent < size + 3 * (APPEND_BYTES + 128 * 1024)  # and the heads of all requests
        await job.wait(SECONDS)
        assert (job.total, job.name, job.file_name) == (LINES, "cuts", "large.csv")


async def test_an_api_that_is_killed_costs_little(service: Service, large: Path) -> None:
    async with client_of(service, retry=PATIENT) as client:
        upload = await client.uploads.create(large, dry_run=True, name="kills")
        deaths = 0

        def kill(arrived: int, total: int | None) -> None:
            nonlocal deaths
            if total and arrived > (deaths + 1) * total // 3 and deaths < 2:
                deaths += 1
                service.kill("api")

        job = await upload.send(kill)
        assert deaths == 2
        await job.wait(SECONDS)
        assert job.total == LINES
    listed = await service.get("/v1/jobs?name=kills")
    assert [one["id"] for one in listed["data"]] == [job.id]


async def test_the_last_response_that_is_lost_is_told_again(service: Service, tmp_path: Path) -> None:
    async with through_proxy(service, tmp_path) as (line, client):
        upload = await client.uploads.create(rows(10, "lost upload"), name="lost upload")
        line.cut_reply_at = lambda data: line.accepted == 1 and b" 202 " in data
        job = await (await upload.send()).wait(SECONDS)
        assert line.accepted == 2
        assert [error.row async for error in job.errors()] == [{"phone": "12", "name": "lost upload"}]
    assert len((await service.get("/v1/jobs?name=lost%20upload"))["data"]) == 1


async def test_an_asynchronous_source_is_sent_too(service: Service) -> None:
    async with client_of(service) as client:
        upload = await client.uploads.create(slowly(30_000, "stream"), dry_run=True)
        assert upload.length is None
        assert (await (await upload.send()).wait(SECONDS)).total == 30_000


async def test_another_process_goes_on(service: Service, tmp_path: Path, large: Path) -> None:
    class Stop(Exception):
        pass

    def stop(arrived: int, _: int | None) -> None:
        if arrived > APPEND_BYTES:
            raise Stop

    def begin() -> str:
        with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
            upload = client.uploads.create(large, dry_run=True)
            with pytest.raises(Stop):
                upload.send(stop)
            return upload.id

    upload_id = await asyncio.to_thread(begin)
    async with client_of(service) as client:
        assert [one.id async for one in client.uploads.list()] == [upload_id]
        for size, what in ((_size(large) - 1, "has changed"), (_size(large), "the first")):
            wrong = _file_of(tmp_path, b"x" * size)
            with pytest.raises(SourceError, match=what):
                await client.uploads.resume(upload_id, wrong)
        upload = await client.uploads.resume(upload_id, large)
        assert upload.offset == 2 * APPEND_BYTES
        assert (await (await upload.send()).wait(SECONDS)).total == LINES
        again = await client.uploads.resume(upload_id, large)
        assert (await again.send()).id == again.job_id


async def test_what_is_wrong_is_raised_at_once(service: Service, tmp_path: Path) -> None:
    async with client_of(service) as client:
        with pytest.raises(NotFoundError) as missing:
            await client.uploads.create([{"phone": "12"}], operation="labels.attach", label_id=4242)
        assert missing.value.code == "unknown_label"
        wrong = _file_of(tmp_path, b"phone,colour\n" + b"+14155550001,red\n" * 100_000)
        upload = await client.uploads.create(wrong)
        with pytest.raises(InvalidRequestError) as refused:
            await upload.send()
        assert (refused.value.code, upload.offset) == ("unknown_columns", 0)
        begun = await client.uploads.create([{"phone": "12"}])
        await begun.cancel()
        with pytest.raises(NotFoundError):
            await begun.send()


async def test_an_upload_is_cancelled_although_the_response_is_lost(service: Service, tmp_path: Path) -> None:
    async with through_proxy(service, tmp_path) as (line, client):
        upload = await client.uploads.create([{"phone": "12"}], dry_run=True)
        line.cut_reply_at = once(b" 204 ", line)
        await upload.cancel()
        assert line.accepted == 2
        with pytest.raises(NotFoundError):
            await upload.cancel()
        with pytest.raises(NotFoundError):
            await client.uploads.cancel(upload.id)


async def test_patience_ends_without_progress(service: Service) -> None:
    async with front_of(address(service)) as front:
        async with client_of(service, front.url, retry=QUICK) as client:
            upload = await client.uploads.create([{"phone": "12"}], dry_run=True)
        front.answers.extend([refusal(500, "internal_error")] * 1_000)
        async with client_of(service, front.url, retry=QUICK) as client:
            upload = await _moved(client, upload)
            with pytest.raises(ServerError):
                await upload.send(patience=0.5)
            front.answers.clear()
            assert (await (await upload.send()).wait(SECONDS)).total == 1


async def _moved(client: AsyncBulklane, upload: Any) -> Any:
    upload._transport = client._transport
    return upload
