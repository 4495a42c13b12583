"""Each limit of memory, bytes, items and errors has its own code, and frees what it has held."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import split
from tests.acceptance.hostile.api_process import UPSERT, ApiProcess, api_process
from tests.factories import contact
from tests.waiting import until
from tests.workers import claim, drain, open_worker
from worker.apply import apply_chunk
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn

MEBIBYTE = 1024**2
LINES, JSON = "application/x-ndjson", "application/json"
BODIES = 60
ENDLESS_BYTES = 12 * MEBIBYTE  # of each body; a whole one may have 16 MiB
HELD_BODIES = 64 * MEBIBYTE // ENDLESS_BYTES  # at most: an account has a quarter of REQUEST_MEMORY_BYTES
ROUNDS = 3  # the memory of the bodies before is free again, so the later rounds need no more
MEMORY_BYTES = 200 * MEBIBYTE  # more than the process has at its start; without a budget it takes 700 MiB
SECONDS = 120.0


async def test_json_bodies_that_never_end_share_a_bounded_memory(api: ApiProcess) -> None:
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(b"[" + b" " * ENDLESS_BYTES) + packer.flush(zlib.Z_SYNC_FLUSH)
    small = json.dumps([contact(1)]).encode()
    before = api.rss
    async with aiohttp.ClientSession(api.url, headers={"x-api-key": api.key}) as http:
        for _ in range(ROUNDS):
            async with _endless(api, body) as heads:
                await until(partial(_are_refused, heads), seconds=SECONDS)
                assert await _post(http, small, JSON) == (202, "")  # a small body needs no share
                assert api.rss < before + MEMORY_BYTES
            await until(lambda: _is_accepted(http, small + b" " * ENDLESS_BYTES), seconds=SECONDS)
        assert api.rss < before + MEMORY_BYTES


@asynccontextmanager
async def _endless(api: ApiProcess, body: bytes) -> AsyncIterator[list["asyncio.Task[bytes]"]]:
    """Send the body BODIES times, and keep the connections open; yield the heads of the responses."""
    head = api.head(
        "POST", UPSERT, "Content-Encoding: gzip", f"Content-Type: {JSON}", "Content-Length: 99999"
    )
    connections = [await api.connect() for _ in range(BODIES)]
    for _, writer in connections:
        writer.write(head + body)
    heads = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader, _ in connections]
    yield heads
    for (_, writer), task in zip(connections, heads, strict=True):
        task.cancel()
        writer.transport.abort()


async def _are_refused(heads: list["asyncio.Task[bytes]"]) -> bool:
    """Return whether all bodies are refused that have no room; assert that they are told to come again."""
    answered = [head.result() for head in heads if head.done()]
    for head in answered:
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: " in head
    return len(answered) >= BODIES - HELD_BODIES


async def _is_accepted(http: aiohttp.ClientSession, body: bytes) -> bool:
    status, code = await _post(http, body, JSON)
    assert (status, code) in {(202, ""), (503, "unavailable")}
    return status == 202


async def test_an_account_has_a_limit_of_stored_bytes(
    ctx: Context, settings: Settings, key: str, tmp_path: Path
) -> None:
    items = (contact(number, metadata={"text": "x" * 1000}) for number in range(3000))
    lines = b"\n".join(json.dumps(item).encode() for item in items)
    async with (
        api_process(settings, key, tmp_path, MAX_STORED_BYTES=str(4 * MEBIBYTE)) as api,
        aiohttp.ClientSession(api.url, headers={"x-api-key": key}) as http,
    ):
        assert await _post(http, lines, LINES) == (202, "")
        async with http.post(UPSERT, data=lines, headers={"Content-Type": LINES}) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (429, "too_many_bytes")
            assert int(response.headers["Retry-After"]) > 0
        for account_id, job_id in await split.unsplit(ctx.pool):
            await split_job(ctx, account_id, job_id)
        await drain(ctx, seconds=SECONDS)
        assert await _post(http, lines, LINES) == (202, "")


async def test_a_body_that_is_larger_than_what_an_account_may_store_is_refused(
    settings: Settings, key: str, tmp_path: Path
) -> None:
    async with (
        api_process(settings, key, tmp_path, MAX_STORED_BYTES=str(MEBIBYTE)) as api,
        aiohttp.ClientSession(api.url, headers={"x-api-key": key}) as http,
    ):
        body = b"phone,name\n" + b"+4930123456,x\n" * 300_000
        assert await _post(http, body, "text/csv") == (413, "body_too_large")


async def test_a_file_has_a_limit_of_items(settings: Settings, key: str, tmp_path: Path) -> None:
    rows = [b"+4930%07d\n" % number for number in range(1001)]
    async with (
        api_process(settings, key, tmp_path, MAX_UPLOAD_ITEMS="1000") as api,
        aiohttp.ClientSession(api.url, headers={"x-api-key": key}) as http,
    ):
        for content_type, header in (("text/csv", b"phone\n"), (LINES, b"")):
            assert await _post(http, header + b"".join(rows[1:]), content_type) == (202, "")
            assert await _post(http, header + b"".join(rows), content_type) == (413, "too_many_items")
            blank = header + b"\n" * 1001 + b"".join(rows[1:])  # a blank line is no item
            assert await _post(http, blank, content_type) == (202, "")


async def test_a_job_has_a_limit_of_item_errors(ctx: Context, settings: Settings, api: ApiProcess) -> None:
    bad = b"\n".join([b'{"phone": "x"}'] * 5000)
    async with (
        aiohttp.ClientSession(api.url, headers={"x-api-key": api.key}) as http,
        open_worker(settings.model_copy(update={"max_job_errors": 1500})) as worker,
    ):
        assert await _post(http, bad, LINES) == (202, "")
        held = await claim(ctx)  # so that the job still has a chunk when it has too many errors
        assert await _post(http, json.dumps(contact(1)).encode(), LINES) == (202, "")

        async def is_failing() -> bool:
            await take_turn(worker)
            return bool(await ctx.pool.fetchval("SELECT true FROM jobs WHERE error_code IS NOT NULL"))

        await until(is_failing, seconds=SECONDS)
        await apply_chunk(ctx, held)
        await finish_if_last(ctx, held.account_id, held.job_id)
        await drain(ctx, seconds=SECONDS)
        last, first = (await _get(http, "/v1/jobs"))["data"]
        assert (last["state"], first["state"]) == ("completed", "failed")
        assert first["error"]["code"] == "too_many_errors"
        assert first["counts"]["failed"] + first["counts"]["cancelled"] == first["total"] == 5000


async def _post(http: aiohttp.ClientSession, body: Any, content_type: str) -> tuple[int, str]:
    """Send a body; return the status, and the code of an error."""
    async with http.post(UPSERT, data=body, headers={"Content-Type": content_type}) as response:
        answer = await response.json()
        return response.status, answer["error"]["code"] if response.status >= 400 else ""


async def _get(http: aiohttp.ClientSession, path: str) -> Any:
    async with http.get(path) as response:
        assert response.status == 200
        return await response.json()
