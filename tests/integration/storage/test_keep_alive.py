"""The kernel watches each TCP connection of a pool, so that one whose peer is gone is closed."""

import asyncio
import socket
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from storage.postgres.pool import KEEPALIVE, close_pool, open_pool
from tests.proxy import POSTGRES_SOCKET


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
    writer.close()


async def _serve(path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy both ways between a TCP connection and the Unix socket of PostgreSQL."""
    target_reader, target_writer = await asyncio.open_unix_connection(path)
    await asyncio.gather(_copy(reader, target_writer), _copy(target_reader, writer))


async def test_each_tcp_connection_has_limits_for_a_peer_that_is_gone(database_url: str) -> None:
    parts = urlsplit(database_url)
    (folder,) = parse_qs(parts.query)["host"]
    server = await asyncio.start_server(partial(_serve, Path(folder) / POSTGRES_SOCKET), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = await open_pool(
        f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable", size=1, name="test"
    )
    async with pool.acquire() as conn:
        sock = conn._con._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        found = {name: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in KEEPALIVE}
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    await close_pool(pool)
    server.close()
    assert found == KEEPALIVE
