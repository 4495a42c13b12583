"""Clients that are silent or slow cost little, are cut in the end, and stop no other client."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import aiohttp

from api.http.connections import raise_descriptor_limit
from schemas.settings import Settings
from storage.context import Context
from tests.acceptance.hostile.api_process import UPSERT, ApiProcess, api_process
from tests.factories import contact
from tests.waiting import until
from tests.workers import drain

MEBIBYTE = 1024**2
DESCRIPTORS = 512
POLLS = 1_000
COPIES = 99  # of 1,000 results: megabytes, more than the kernel takes for one connection
CUT_SECONDS = 120.0  # until a client is cut whose time-out is one or two seconds


async def test_a_body_that_drips_is_refused(settings: Settings, key: str, tmp_path: Path) -> None:
    async with api_process(settings, key, tmp_path, UPLOAD_GRACE_SECONDS="1") as api:
        reader, writer = await api.connect()
        writer.write(api.head("POST", UPSERT, "Content-Type: text/csv", "Transfer-Encoding: chunked"))
        answer = asyncio.create_task(reader.read(4096))

        async def drip() -> None:
            while not answer.done():
                writer.write(b"1\r\nx\r\n")
                await asyncio.sleep(0.1)

        with suppress(ConnectionError):
            async with asyncio.timeout(CUT_SECONDS):
                await drip()
        head, _, body = (await answer).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["error"]["code"] == "upload_too_slow"


async def test_idle_connections_shut_nobody_out(settings: Settings, key: str, tmp_path: Path) -> None:
    environ = {"MAX_CONNECTIONS_PER_ADDRESS": "0", "HEADER_SECONDS": "600"}
    async with api_process(settings, key, tmp_path, descriptors=DESCRIPTORS, **environ) as api:
        idle = [await api.connect() for _ in range(2 * DESCRIPTORS)]
        await _is_served(api)
        assert "too many connections" in api.log.read_text()
        for _, writer in idle:
            writer.transport.abort()


async def test_an_address_has_its_share_of_the_connections(
    settings: Settings, key: str, tmp_path: Path
) -> None:
    async with api_process(settings, key, tmp_path, MAX_CONNECTIONS_PER_ADDRESS="5") as api:
        idle = [await api.connect() for _ in range(8)]
        async with asyncio.timeout(CUT_SECONDS):
            refused = [await reader.read() for reader, _ in idle[5:]]
        assert refused == [b""] * 3
        for _, writer in idle:
            writer.transport.abort()
        await until(lambda: _answers(api), seconds=CUT_SECONDS)  # the places are free again


async def test_a_connection_without_a_request_is_closed(settings: Settings, key: str, tmp_path: Path) -> None:
    async with api_process(settings, key, tmp_path, HEADER_SECONDS="1") as api:
        reader, writer = await api.connect()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: ")
        async with asyncio.timeout(CUT_SECONDS):
            assert await _rest(reader) == b""
        writer.close()


async def test_a_thousand_polls_wait_in_little_memory_and_stop_no_other_client(
    ctx: Context, settings: Settings, key: str, tmp_path: Path
) -> None:
    raise_descriptor_limit()  # of this process, which has the other end of each connection
    environ = {"READ_LIMIT": "0", "MAX_CONNECTIONS_PER_ADDRESS": str(POLLS)}
    async with api_process(settings, key, tmp_path, descriptors=2 * POLLS, **environ) as api:
        path, before = f"{await _submit(api)}?wait=60", api.rss
        polls = [await api.connect() for _ in range(POLLS)]
        for _, writer in polls:
            writer.write(api.head("GET", path))
        await _is_served(api, address="127.0.0.2")
        refused, writer = await api.connect()  # one more of the same address
        assert await _rest(refused) == b""
        writer.close()
        assert api.rss < before + 100 * MEBIBYTE
        await drain(ctx, seconds=CUT_SECONDS)
        async with asyncio.timeout(CUT_SECONDS):
            heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in polls]
        assert {head.partition(b"\r\n")[0] for head in heads} == {b"HTTP/1.1 200 OK"}
        for _, writer in polls:
            writer.transport.abort()


async def test_what_a_client_sends_becomes_no_header_of_the_response(api: ApiProcess) -> None:
    for path, line in (
        ("/v1/jobs/%0d%0aInjected:%20yes", "Idempotency-Key: %0d%0aInjected: yes"),
        (UPSERT, "X-Request-Id: a\rInjected: yes"),
        (UPSERT, "Idempotency-Key: a\nInjected: yes\nContent-Length: 0"),
        (f"{UPSERT}?region=%0d%0aInjected:%20yes", "Prefer: wait=1%0d%0aInjected: yes"),
    ):
        reader, writer = await api.connect()
        writer.write(api.head("POST", path, line, "Connection: close"))
        async with asyncio.timeout(CUT_SECONDS):
            head, _, _ = (await _rest(reader)).partition(b"\r\n\r\n")
        writer.close()
        assert head.split()[1].startswith(b"4"), head
        assert b"\ninjected" not in head.lower().replace(b"\r", b"\n")


async def test_too_many_headers_are_refused(api: ApiProcess) -> None:
    for lines in ([f"h{number}: 1" for number in range(10_000)], ["h: " + "x" * 100_000]):
        reader, writer = await api.connect()
        writer.write(api.head("GET", "/v1/jobs", *lines))
        async with asyncio.timeout(CUT_SECONDS):
            received = await _rest(reader)
        writer.close()
        # the rest of the request may reset the connection before the response is read
        assert (
            received == b""
            or json.loads(received.partition(b"\r\n\r\n")[2])["error"]["code"] == "malformed_request"
        )
        await _is_served(api)


async def test_downloads_that_nobody_reads_are_cut_and_take_little_memory(
    ctx: Context, settings: Settings, key: str, tmp_path: Path
) -> None:
    async with api_process(settings, key, tmp_path, WRITE_IDLE_SECONDS="2", READ_LIMIT="0") as api:
        job = await _job(ctx, api)
        before = api.rss
        readers = [await api.connect() for _ in range(30)]
        for _, writer in readers:
            writer.write(api.head("GET", f"{job}/results", "Accept: application/x-ndjson"))
        await _is_served(api)
        await until(lambda: _logged(api, "reads nothing of its response"), seconds=CUT_SECONDS)
        assert api.rss < before + 200 * MEBIBYTE
        for _, writer in readers:
            writer.transport.abort()


async def test_a_client_that_leaves_a_download_is_logged_without_a_traceback(
    ctx: Context, settings: Settings, key: str, tmp_path: Path
) -> None:
    async with api_process(settings, key, tmp_path, READ_LIMIT="0") as api:
        job = await _job(ctx, api)
        for _ in range(5):
            reader, writer = await api.connect()
            writer.write(api.head("GET", f"{job}/results", "Accept: application/x-ndjson"))
            await reader.readexactly(1000)
            writer.transport.abort()
        await until(lambda: _logged(api, "response cut at"), seconds=CUT_SECONDS)
        await _is_served(api)
    assert "Traceback" not in api.log.read_text()


async def _submit(api: ApiProcess) -> str:
    """Submit a job of 1,000 items; return its path."""
    lines = b"\n".join(json.dumps(contact(number)).encode() for number in range(1000))
    headers = {"x-api-key": api.key, "Content-Type": "application/x-ndjson"}
    async with (
        aiohttp.ClientSession(api.url, headers=headers) as http,
        http.post(UPSERT, data=lines) as response,
    ):
        assert response.status == 202, await response.text()
        return response.headers["Location"]


async def _job(ctx: Context, api: ApiProcess) -> str:
    """Return the path of a job that has ended, with many results."""
    path = await _submit(api)
    await drain(ctx, seconds=CUT_SECONDS)
    await ctx.pool.execute(
        "INSERT INTO outcomes (account_id, job_id, first_index, outcomes, contact_ids) "
        "SELECT account_id, job_id, 1000 * copy, outcomes, contact_ids FROM outcomes, "
        "generate_series(1, $1) copy",
        COPIES,
    )
    return path


async def _rest(reader: asyncio.StreamReader) -> bytes:
    with suppress(ConnectionError):
        return await reader.read()
    return b""


async def _is_served(api: ApiProcess, address: str = "127.0.0.1") -> None:
    """Send a request from an address of this machine."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(connector=connector) as http, http.get(f"{api.url}/healthz") as response:
        assert response.status == 200


async def _answers(api: ApiProcess) -> bool:
    with suppress(aiohttp.ClientError):
        await _is_served(api)
        return True
    return False


async def _logged(api: ApiProcess, text: str) -> bool:
    return text in api.log.read_text()
