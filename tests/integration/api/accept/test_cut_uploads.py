"""An incomplete upload leaves a failed job with the reason, and no other rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from schemas.formats.content_type import Format
from schemas.operations import JobParams, Operation
from schemas.settings import Settings
from schemas.states import JobState
from storage.context import Context
from storage.pipeline import jobs, uploads
from tests.factories import contact, make_account, make_job, phone
from tests.integration.api.raw_upload import Upload, until_true, upload
from tests.integration.api.service import Client, Service, make_client, serve
from tests.integration.api.work import work
from tests.waiting import until

ROWS = b"".join(b"%s,Name\n" % phone(n).encode() for n in range(50_000))  # about 1 MiB
SHORT = {
    "text/csv": b"phone,name\n" + ROWS[:1000],
    "application/x-ndjson": b'{"phone": "+14152000000"}\n{"phone": "+141520',
    "application/json": b'[{"phone": "+14152000000"}, {"pho',
}


async def _assert_failed(ctx: Context, client: Client) -> None:
    """Wait until the only job has failed, and check that it has left no other rows."""
    await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'failed'")
    (job,) = await client.jobs()
    assert (job["state"], job["error"]["code"]) == ("failed", "upload_incomplete")
    assert (job["total"], job["finished_at"] is not None, job["accepted_at"]) == (0, True, None)
    await work(ctx)
    for table in ("parts", "chunks", "outcomes", "contacts", "streams"):
        assert await ctx.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table


@pytest.mark.parametrize("content_type", list(SHORT))
@pytest.mark.parametrize("length", [None, 10_000], ids=["chunked", "content-length"])
@pytest.mark.parametrize("graceful", [True, False], ids=["fin", "reset"])
async def test_a_short_body_that_is_cut_leaves_a_failed_job(
    ctx: Context, service: Service, client: Client, content_type: str, length: int | None, graceful: bool
) -> None:
    async with upload(service, client, content_type, length=length) as cut:
        await cut.send(SHORT[content_type])
        await _close(cut, graceful=graceful)
        await _assert_failed(ctx, client)


@pytest.mark.parametrize("length", [None, 100_000_000], ids=["chunked", "content-length"])
@pytest.mark.parametrize("graceful", [True, False], ids=["fin", "reset"])
async def test_a_long_body_that_is_cut_leaves_a_failed_job(
    ctx: Context, service: Service, client: Client, length: int | None, graceful: bool
) -> None:
    async with upload(service, client, "text/csv", length=length) as cut:
        await cut.send(b"phone,name\n")
        for _ in range(4):
            await cut.send(ROWS)
        await until_true(ctx, "SELECT count(*) > 1 FROM parts")
        (job,) = await client.jobs()
        assert (job["state"], job["total"], job["accepted_at"]) == ("receiving", None, None)
        await _close(cut, graceful=graceful)
        await _assert_failed(ctx, client)


async def test_a_form_that_is_cut_leaves_a_failed_job(ctx: Context, service: Service, client: Client) -> None:
    async with upload(service, client, "multipart/form-data; boundary=x") as cut:
        await cut.send(b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n')
        await cut.send(b"phone,name\n" + ROWS)
        await _close(cut, graceful=True)
        await _assert_failed(ctx, client)


@pytest.mark.parametrize("body", [SHORT["text/csv"], b"phone,name\n" + ROWS * 3], ids=["short", "long"])
async def test_a_stalled_upload_fails(ctx: Context, settings: Settings, body: bytes) -> None:
    async with (
        serve(settings.model_copy(update={"upload_idle_seconds": 0.3})) as service,
        _client(ctx, service) as client,
        upload(service, client, "text/csv") as stalled,
    ):
        await stalled.send(body)
        await _assert_failed(ctx, client)
        response = await stalled.response()
        assert response.startswith(b"HTTP/1.1 400 ")
        assert b"upload_incomplete" in response


async def test_an_upload_with_a_malformed_chunk_fails(ctx: Context, settings: Settings) -> None:
    async with (
        serve(settings.model_copy(update={"upload_idle_seconds": 0.3})) as service,
        _client(ctx, service) as client,
        upload(service, client, "text/csv") as broken,
    ):
        await broken.send(SHORT["text/csv"])
        await _until_reading(service)
        broken.writer.write(b"this is no length\r\n")
        await _assert_failed(ctx, client)


@pytest.mark.parametrize("body", [SHORT["text/csv"], b"phone,name\n" + ROWS * 3], ids=["short", "long"])
async def test_uploads_fail_when_the_api_stops(
    ctx: Context, settings: Settings, service: Service, client: Client, body: bytes
) -> None:
    async with (
        serve(settings, shutdown_seconds=0.2) as stopped,
        upload(stopped, client, "text/csv") as cut,
    ):
        await cut.send(body)
        await _until_reading(stopped)
        await stopped.runner.cleanup()
        await _assert_failed(ctx, client)


async def test_failing_an_accepted_upload_does_nothing(ctx: Context) -> None:
    """The api may stop after the COMMIT and before it sends the response."""
    account = await make_account(ctx)
    job = uploads.NewJob(
        account_id=account.id,
        id=await make_job(ctx, account.id, [contact(1)]),
        operation=Operation.CONTACTS_UPSERT,
        stream="contacts",
        format=Format.NDJSON,
        params=JobParams(),
        parallel=1,
        request_id="req_test",
    )
    await uploads.open_job(ctx.pool, job)
    await uploads.fail(ctx.pool, account.id, job.id, "upload_incomplete", "stopped")
    assert await jobs.state_of(ctx.pool, account.id, job.id) == JobState.QUEUED


async def _until_reading(service: Service) -> None:
    """Wait until the api reads an upload."""

    async def current() -> object:
        return service.api.uploads.current

    await until(current)


@asynccontextmanager
async def _client(ctx: Context, service: Service) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session:
        yield await make_client(ctx, session)


async def _close(cut: Upload, *, graceful: bool) -> None:
    """Close the connection after all sent data, or reset it."""
    if graceful:
        cut.writer.close()
        await cut.writer.wait_closed()
    else:
        cut.writer.transport.abort()
