"""The relay delays bytes, and neither loses nor reorders any."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from bench.lab.relay import HOST, Relay

PIECES = [bytes([number]) * 5_000 for number in range(200)]


@pytest.mark.parametrize("delay", [0, 0.005])
async def test_the_relay_returns_what_was_sent_in_order(tmp_path: Path, delay: float) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_unix_server(echo, tmp_path / "echo")
    relay = Relay(tmp_path / "echo", delay)
    reader, writer = await asyncio.open_connection(HOST, await relay.start())
    for piece in PIECES:
        writer.write(piece)
    async with asyncio.timeout(30):
        assert await reader.readexactly(sum(map(len, PIECES))) == b"".join(PIECES)
    writer.close()
    await relay.stop()
    server.close()


async def test_a_byte_comes_back_after_both_delays(tmp_path: Path) -> None:
    times: list[float] = []
    clock = asyncio.get_running_loop().time

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(1)
        times.append(clock())
        writer.write(data)

    server = await asyncio.start_unix_server(echo, tmp_path / "echo")
    relay = Relay(tmp_path / "echo", 0.05)
    reader, writer = await asyncio.open_connection(HOST, await relay.start())
    times.append(clock())
    writer.write(b"x")
    async with asyncio.timeout(30):
        await reader.readexactly(1)
    times.append(clock())
    assert all(later - earlier >= 0.045 for earlier, later in pairwise(times))
    writer.close()
    await relay.stop()
    server.close()


async def test_the_last_bytes_arrive_although_the_connection_ends(tmp_path: Path) -> None:
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())
        writer.close()

    server = await asyncio.start_unix_server(sink, tmp_path / "sink")
    relay = Relay(tmp_path / "sink", 0.05)
    _, writer = await asyncio.open_connection(HOST, await relay.start())
    writer.write(b"the end")
    writer.write_eof()
    async with asyncio.timeout(30):
        assert await received == b"the end"
    writer.close()
    await relay.stop()
    server.close()
