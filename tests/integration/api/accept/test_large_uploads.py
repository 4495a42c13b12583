"""A body of several parts is stored while it arrives and split by a worker, in constant memory."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from schemas.formats.records import PART_BYTES
from storage.context import Context
from tests.factories import phone
from tests.integration.api.raw_upload import until_true, upload
from tests.integration.api.service import Client, Service
from tests.integration.api.work import split, work

ROWS = 200_000
MEBIBYTE = 1024 * 1024


def csv_rows(first: int, last: int) -> bytes:
    return b"".join(b"%s,Name of %d\n" % (phone(n).encode(), n) for n in range(first, last))


async def test_a_long_upload_is_stored_then_split(ctx: Context, service: Service, client: Client) -> None:
    async with upload(service, client, "text/csv") as long:
        await long.send(b"phone,name\n" + csv_rows(0, 100_000))
        await until_true(ctx, "SELECT count(*) > 1 FROM parts")
        (job,) = await client.jobs()
        assert (job["state"], job["total"], job["progress"]) == ("receiving", None, None)
        await long.send(csv_rows(100_000, ROWS))
        await long.end()
        assert (await long.response()).startswith(b"HTTP/1.1 202 ")
    (job,) = await client.jobs()
    assert (job["state"], job["total"]) == ("queued", None)
    body = await ctx.pool.fetchval("SELECT string_agg(body, '' ORDER BY part) FROM parts")
    assert body == csv_rows(0, ROWS)
    await split(ctx)
    (job,) = await client.jobs()
    assert (job["state"], job["total"], job["counts"]["pending"]) == ("queued", ROWS, ROWS)
    assert await ctx.pool.fetchval("SELECT max(items) FROM chunks") == 1_000


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
async def test_every_item_of_a_long_body_is_applied(ctx: Context, client: Client, content_type: str) -> None:
    rows = 12_000
    lines = [b'{"phone": "%s", "name": "%s"}' % (phone(n).encode(), b"x" * 100) for n in range(rows)]
    body = b"[%s]" % b",\n".join(lines) if content_type == "application/json" else b"\n".join(lines)
    response = await client.submit(gzip.compress(body, 1), content_type, Content_Encoding="gzip")
    assert (response.status, response.json["total"]) == (202, None)
    await work(ctx)
    job = await client.job(response)
    assert (job["state"], job["total"], job["counts"]["created"]) == ("completed", rows, rows)


async def test_an_upload_of_64_mebibytes_needs_no_more_memory_than_a_small_one(
    ctx: Context, client: Client
) -> None:
    piece = csv_rows(0, 2_000)

    async def pieces(size: int) -> AsyncIterator[bytes]:
        yield b"phone,name\n"
        for _ in range(size // len(piece)):
            yield piece

    tracemalloc.start()
    try:
        peaks = []
        for size in (4 * MEBIBYTE, 64 * MEBIBYTE):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            response = await client.submit(pieces(size), "text/csv")
            assert response.status == 202
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert await ctx.pool.fetchval("SELECT max(parts) FROM jobs") >= 64
    assert max(peaks) < 12 * PART_BYTES, (
        peaks
    )  # of the client and the server together: both run in this process
    assert peaks[1] < peaks[0] + 4 * PART_BYTES, peaks


async def test_a_gzip_bomb_needs_little_memory(client: Client) -> None:
    bomb = await asyncio.to_thread(gzip.compress, b"phone\n" + b"\n" * 100 * MEBIBYTE, 9)
    tracemalloc.start()
    try:
        response = await client.submit(bomb, "text/csv", Content_Encoding="gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (response.status, response.error["code"]) == (422, "empty")
    assert peak < 12 * PART_BYTES
