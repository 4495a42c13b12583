"""Only the user who starts the embedded servers can connect to PostgreSQL."""

import asyncio
import os
import subprocess
import sys

import pytest

from embedded.servers import Home, Postgres
from storage.postgres.connection import connect

READY_SECONDS = 60.0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
async def test_a_process_of_the_servers_own_user_cannot_connect(scratch: Home) -> None:
    """Other services also run as nobody."""
    postgres = Postgres(scratch, durable=False)
    await postgres.start()
    try:
        await postgres.wait_ready(READY_SECONDS)
        async with connect(postgres.url) as conn:
            assert await conn.fetchval("SELECT 1") == 1
        path = str(scratch.sockets / ".s.PGSQL.5432")
        assert scratch.owner is not None
        answer = await asyncio.to_thread(answer_to, path, scratch.owner.uid)
        assert answer.startswith(b"E")
        assert b"authentication failed" in answer
    finally:
        await postgres.stop()


def answer_to(path: str, uid: int) -> bytes:
    """Return PostgreSQL's answer to a process of this user that connects as its superuser."""
    startup = b"\x00\x03\x00\x00user\0bulklane\0database\0bulklane\0\0"
    program = f"""
import os, socket, sys
os.setuid({uid})
client = socket.socket(socket.AF_UNIX)
client.connect({path!r})
client.sendall({(len(startup) + 4).to_bytes(4, "big") + startup!r})
sys.stdout.buffer.write(client.recv(10_000))
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
