"""Run `python -m api` in its own process, look at its memory, and talk to it over raw sockets."""

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from schemas.settings import Settings
from tests.acceptance.hostile.probed_api import STALLS
from tests.acceptance.service import REPOSITORY, environment
from tests.servers import dying_with_tests
from tests.waiting import until

UPSERT = "/v1/bulk/contacts.upsert"
READY_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiProcess:
    """A running api process, its log, and the key of an account without limits."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path
    key: str
    stalls: Path  # written by `probed_api`

    @property
    def rss(self) -> int:
        """The memory of the process, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection whose receive buffer is small."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=sock, limit=1024)

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """Return the head of a request with the key; `lines` are further headers."""
        named = "".join(f"{line}\r\n" for line in lines)
        return f"{method} {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {self.key}\r\n{named}\r\n".encode()


@asynccontextmanager
async def api_process(
    settings: Settings,
    key: str,
    folder: Path,
    *,
    descriptors: int | None = None,
    module: str = "api",
    **environ: str,
) -> AsyncIterator[ApiProcess]:
    """Run an api process until the body ends. `descriptors` limits its file descriptors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    database_url, redis_url = settings.required_urls()
    urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    log, stalls = folder / "api.log", folder / "stalls"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [*_limited(descriptors), sys.executable, "-m", module],
            cwd=REPOSITORY,
            env=environment(folder, **urls) | {"PORT": str(port), STALLS: str(stalls), **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=dying_with_tests(),  # noqa: PLW1509 - it calls one function of libc
        )
    api = ApiProcess(process=process, port=port, log=log, key=key, stalls=stalls)
    try:
        await until(lambda: _is_ready(api), seconds=READY_SECONDS)
        yield api
    finally:
        process.kill()
        process.wait()


def _limited(descriptors: int | None) -> list[str]:
    """Return the words before a command that limit its file descriptors."""
    return [] if descriptors is None else ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]


async def _is_ready(api: ApiProcess) -> bool:
    assert api.process.poll() is None, api.log.read_text()
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{api.url}/healthz", timeout=aiohttp.ClientTimeout(5)) as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
