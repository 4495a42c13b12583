"""The client against a real service: what is submitted arrives once, whatever happens to the connection."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from bulklane import (
    AsyncBulklane,
    Bulklane,
    ConflictError,
    ConnectionLost,
    Job,
    NotFoundError,
    RetryPolicy,
    ServerError,
    WaitTimeout,
)
from tests.acceptance.client.calls import call_all, not_called
from tests.acceptance.client.front import Bad, Front, front_of, refusal
from tests.acceptance.service import Service
from tests.proxy import Proxy, proxy

SECONDS = 60  # until a job must have ended
QUICK = RetryPolicy(first=0.05, longest=0.2)
PATIENT = RetryPolicy(retries=60, first=0.2, longest=0.5)  # while an api starts again


def rows(count: int, name: str) -> Iterator[dict[str, Any]]:
    """Yield valid rows and, at last, a bad one."""
    for number in range(count - 1):
        yield {"phone": f"+1415{5_550_000 + number}", "name": f"{name} {number}"}
    yield {"phone": "12", "name": name}


async def slowly(count: int, name: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the same rows from an asynchronous source."""
    for row in rows(count, name):
        yield row


def address(service: Service) -> tuple[str, int]:
    """Return where the api listens."""
    parts = urlsplit(service.dev["url"])
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def client_of(service: Service, url: str | None = None, **options: Any) -> AsyncBulklane:
    """Return a client of the account demo."""
    options = {"retry": QUICK, **options}
    return AsyncBulklane(key=service.dev["api_key"], url=url or service.dev["url"], **options)


@asynccontextmanager
async def through_proxy(service: Service, folder: Path) -> AsyncIterator[tuple[Proxy, AsyncBulklane]]:
    """Yield a client whose connections pass a proxy, and the proxy."""
    async with proxy(folder / "api.sock", address(service)) as line:
        transport = httpx2.AsyncHTTPTransport(uds=str(line.path))
        async with (
            httpx2.AsyncClient(transport=transport) as http,
            client_of(service, http=http, retry=PATIENT) as client,
        ):
            yield line, client


async def names(service: Service, name: str) -> list[str]:
    """Return the states of the jobs with a name."""
    listed = await service.get(f"/v1/jobs?name={name}")
    return [job["state"] for job in listed["data"]]


async def test_a_file_is_submitted_and_each_error_has_its_row(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text('Mobile;Notes;name\n+14155552671;good;Ana\n\n12;"too\nshort";Rui\n')

    def use() -> Job:
        with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
            job = client.jobs.submit(path, columns={"Mobile": "phone", "Notes": None}, tags=["a", "b"])
            job.wait(timeout=SECONDS)
            (error,) = job.errors()
            assert (error.index, error.code) == (1, "phone_too_short")
            assert error.row == {"Mobile": "12", "Notes": "too\nshort", "name": "Rui"}
            outcomes = [(result.outcome, result.row["name"]) for result in job.results()]
            assert outcomes == [("created", "Ana"), ("failed", "Rui")]
            job.save_errors(tmp_path / "bad.csv")
            again = client.jobs.get(job.id)
            assert [error.row for error in again.errors()] == [None]
            assert [error.row["name"] for error in again.errors(rows=path)] == ["Rui"]
            with pytest.raises(ConflictError) as caught:
                job.cancel()
            assert caught.value.code == "job_ended"
            assert (caught.value.request_id or "").startswith("req_")
            assert client.jobs.submit([{"phone": "12"}], dry_run=True).wait(SECONDS).dry_run
            retried = job.retry_failed().wait(timeout=float("inf"))
            assert [error.row["Mobile"] for error in retried.errors()] == ["12"]  # those of the file
            assert [result.row["Mobile"] for result in retried.results()] == ["12"]
            return retried

    retried = await asyncio.to_thread(use)
    assert retried.counts.failed == 1
    assert "too\nshort" in (tmp_path / "bad.csv").read_text()
    assert set(os.listdir(tmp_path)) == {"contacts.csv", "bad.csv"}  # nothing beside them


@pytest.mark.parametrize("refused", [refusal(429, "rate_limit_exceeded", 0), refusal(503, "unavailable", 0)])
async def test_a_generator_is_sent_whole_again_after_a_refusal(service: Service, refused: bytes) -> None:
    async with front_of(address(service), refused, refused) as front:

        def use() -> Job:
            with Bulklane(key=service.dev["api_key"], url=front.url, retry=QUICK) as client:
                job = client.jobs.submit(rows(2_000, "refused")).wait(SECONDS)
                (error,) = job.errors()
                assert error.row == {"phone": "12", "name": "refused"}
                return job

        job = await asyncio.to_thread(use)
        one, other = (_sent(request) for request in front.received)
    assert job.total == 2_000
    assert one == other  # the same key and the same bytes


async def test_an_upload_that_is_cut_becomes_one_job(service: Service, tmp_path: Path) -> None:
    async with through_proxy(service, tmp_path) as (line, client):
        line.cut_at = _after(200_000, line)
        job = await client.jobs.submit(slowly(20_000, "cut"), name="cut", compression="none")
        await job.wait(SECONDS)
        assert line.accepted > 1
        assert (job.total, job.counts.failed, job.counts.pending) == (20_000, 1, 0)
        assert [error.row async for error in job.errors()] == [{"phone": "12", "name": "cut"}]
    states = await names(service, "cut")
    assert states.count("completed_with_errors") == 1
    assert set(states) <= {"completed_with_errors", "failed"}


async def test_a_response_that_is_lost_does_not_make_a_second_job(service: Service, tmp_path: Path) -> None:
    async with through_proxy(service, tmp_path) as (line, client):
        line.cut_reply_at = once(b" 202 ", line)
        job = await client.jobs.submit(rows(10, "lost"), name="lost")
        assert line.accepted == 2
    assert len(await names(service, "lost")) == 1
    assert (await client_of(service).jobs.get(job.id)).id == job.id


async def test_an_action_with_an_expected_number_is_not_repeated(service: Service, tmp_path: Path) -> None:
    """After the first attempt, another number matches, and the service would say that it changed nothing."""
    async with through_proxy(service, tmp_path) as (line, client):
        line.cut_reply_at = once(b" 200 ", line)
        with pytest.raises(ConnectionLost):
            await client.jobs.cancel_matching(preview=False, expected=0, name="no job")
        assert line.accepted == 1


async def test_an_api_that_is_killed_costs_nothing(service: Service) -> None:
    async def killing() -> AsyncIterator[dict[str, Any]]:
        async for row in slowly(6_000, "killed"):
            if row["name"] == "killed 5000":
                service.kill("api")
            yield row

    async with client_of(service, retry=PATIENT) as client:
        job = await client.jobs.submit(killing(), name="killed", compression="none")
        await job.wait(SECONDS)
        assert (job.total, job.counts.failed, job.counts.pending) == (6_000, 1, 0)
    assert (await names(service, "killed")).count("completed_with_errors") == 1


async def test_events_go_on_after_a_cut_without_a_repetition(service: Service, tmp_path: Path) -> None:
    # the job must not end before the first event is seen
    async with through_proxy(service, tmp_path) as (line, client), AsyncExitStack() as held:
        await (await client.jobs.submit(rows(2, "locked"))).wait(SECONDS)
        await held.enter_async_context(service.locked_contact(next(rows(2, ""))["phone"]))
        job = await client.jobs.submit(rows(6_000, "events"), parallel=1)
        ids, pending = [], []
        async for event in job.events():
            assert event.job is not None
            ids.append(event.id)
            pending.append(event.job.counts.pending)
            if len(ids) == 1:
                line.cut()
                await held.aclose()
            state = event.job.state
        assert state == "completed_with_errors"
    assert len(set(ids)) == len(ids) > 1
    assert line.accepted > 1
    assert pending[1:] == sorted(pending[1:], reverse=True)


@pytest.mark.parametrize("answers", [[Bad.SILENT], [Bad.DRIPPING], [refusal(503, "unavailable")] * 1_000])
async def test_wait_keeps_its_deadline_against_any_service(service: Service, answers: list[Any]) -> None:
    async with front_of(address(service)) as front:
        limits = httpx2.Limits(max_keepalive_connections=0)
        async with (
            httpx2.AsyncClient(limits=limits) as http,
            client_of(service, front.url, http=http) as client,
        ):
            job = await client.jobs.submit([{"phone": "12"}], dry_run=True)
            front.answers.extend(answers)
            with pytest.raises(WaitTimeout) as caught:
                await job.wait(timeout=0.4)
            assert caught.value.job is job
            front.answers.clear()
        await asyncio.to_thread(_wait_in_vain, service, front, answers)


async def test_errors_are_typed_and_nothing_is_repeated_in_vain(service: Service) -> None:
    async with front_of(address(service), refusal(500, "internal_error")) as front:
        async with client_of(service, front.url) as client:
            with pytest.raises(ServerError) as caught:
                await client.limits()
            assert (caught.value.code, caught.value.request_id) == ("internal_error", "req_0")
            with pytest.raises(NotFoundError) as missing:
                await client.labels.get("lbl_00000000000000000000000042")
            assert missing.value.code == "unknown_label"
        assert len(front.received) == 1


async def test_every_route_is_reached(service: Service, tmp_path: Path) -> None:
    assert not not_called(await call_all(service.dev["api_key"], service.dev["url"], tmp_path))


def _wait_in_vain(service: Service, front: Front, answers: list[Any]) -> None:
    key = service.dev["api_key"]
    with (
        httpx2.Client(limits=httpx2.Limits(max_keepalive_connections=0)) as http,
        Bulklane(key=key, url=front.url, retry=QUICK, http=http) as client,
    ):
        job = client.jobs.submit([{"phone": "12"}], dry_run=True)
        front.answers.extend(answers)
        with pytest.raises(WaitTimeout, match=f"{job.id} has not ended within 0.4 seconds"):
            job.wait(timeout=0.4)


def _sent(request: bytes) -> tuple[bytes, bytes]:
    """Return the idempotency key and the body of a request, without the sizes of its chunks."""
    head, _, rest = request.partition(b"\r\n\r\n")
    (key,) = re.findall(rb"(?i)idempotency-key: (\S+)", head)
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return key, body


def _after(count: int, line: Proxy) -> Callable[[bytes], bool]:
    """Return a condition that is true once, when so many bytes have passed."""
    passed = 0

    def is_reached(data: bytes) -> bool:
        nonlocal passed
        passed += len(data)
        if passed > count:
            line.behave()
            return True
        return False

    return is_reached


def once(text: bytes, line: Proxy) -> Callable[[bytes], bool]:
    """Return a condition that is true once, when the text passes."""

    def is_seen(data: bytes) -> bool:
        if text in data:
            line.behave()
            return True
        return False

    return is_seen
