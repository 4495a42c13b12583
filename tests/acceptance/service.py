"""Run `bulklane serve` in its own process, send requests to it, kill its parts."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import aiohttp
import asyncpg

from embedded.servers import open_home
from tests.servers import dying_with_tests
from tests.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
READY_SECONDS = 60.0
T = TypeVar("T")


class Service:
    """A running service in a home folder."""

    def __init__(self, home: Path, process: "subprocess.Popen[bytes]") -> None:
        self.home = home
        self.process = process

    @property
    def dev(self) -> dict[str, Any]:
        """The current content of dev.json."""
        dev: dict[str, Any] = json.loads((self.home / "dev.json").read_text())
        return dev

    def pids(self, role: str) -> list[int]:
        """Return the pids of a role in dev.json."""
        pids: list[int] = self.dev["pids"][role]
        return pids

    def kill(self, role: str, position: int = 0) -> int:
        """Kill one process of the service with SIGKILL; return its pid."""
        pid = self.pids(role)[position]
        os.kill(pid, signal.SIGKILL)
        return pid

    def cli(self, *words: str) -> str:
        """Run `bulklane …` against this service; return its output."""
        done = subprocess.run(
            [BIN / "bulklane", *words], env=environment(self.home), capture_output=True, text=True, check=True
        )
        return done.stdout

    async def submit(self, body: bytes, content_type: str, **headers: str) -> dict[str, Any]:
        """Send a bulk upsert; return the job."""
        headers = {"x-api-key": self.dev["api_key"], "Content-Type": content_type, **headers}
        url = f"{self.dev['url']}/v1/bulk/contacts.upsert"
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, data=body, headers=headers) as response,
        ):
            job: dict[str, Any] = await response.json()
            assert response.status in {200, 202, 207}, job
            return job

    async def get(self, path: str, **headers: str) -> Any:
        """GET a path as JSON; see `get_text`."""
        return json.loads(await self.get_text(path, **headers))

    async def get_text(self, path: str, **headers: str) -> str:
        """GET a path as text. Retries for 30 seconds, because the api may be restarting."""
        deadline = monotonic() + 30
        while True:
            dev = self.dev
            try:
                async with (
                    aiohttp.ClientSession() as http,
                    http.get(dev["url"] + path, headers={"x-api-key": dev["api_key"], **headers}) as response,
                ):
                    if response.status == 200:
                        return await response.text()
                    assert response.status == 503, await response.text()
            except (aiohttp.ClientConnectionError, ConnectionError):
                pass
            assert monotonic() < deadline, f"no response from {path} in 30 seconds"

    async def ended(self, job_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """Wait until the job has ended; return it."""
        deadline = monotonic() + seconds
        while True:
            job: dict[str, Any] = await self.get(f"/v1/jobs/{job_id}?wait=2")
            if job["finished_at"]:
                return job
            assert monotonic() < deadline, job

    @asynccontextmanager
    async def locked_contact(self, phone: str) -> AsyncIterator[None]:
        """Lock a contact while the body runs, so that a job with it waits."""
        conn = await asyncpg.connect(self.dev["database_url"])
        try:
            async with conn.transaction():
                assert await conn.fetchval("SELECT true FROM contacts WHERE phone = $1 FOR UPDATE", phone)
                yield
        finally:
            await conn.close()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Run a query in the database of the service."""
        conn = await asyncpg.connect(self.dev["database_url"])
        try:
            rows: list[asyncpg.Record] = await conn.fetch(query, *arguments)
            return rows
        finally:
            await conn.close()


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process under test; of this process it has only the COVERAGE_ variables."""
    path = f"{BIN}:/usr/local/bin:/usr/bin:/bin"
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    ours = {"BULKLANE_HOME": str(home), "PORT": "0", "WEBHOOK_PRIVATE_ADDRESSES": "allow"}
    return {"PATH": path, "HOME": str(home), **ours, **coverage, **more}


@contextmanager
def serving(home: Path, *options: str) -> Iterator[Service]:
    """Run `bulklane serve` until it is ready; stop it with SIGINT after the body."""
    process = start(home, *options)
    try:
        wait_for(lambda: _ready(home, process), seconds=READY_SECONDS)
        yield Service(home, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        remove_state(home)


def remove_state(home: Path) -> None:
    """Delete the data of the servers of a home. The data of root is outside the home."""
    shutil.rmtree(open_home(home).state, ignore_errors=True)


def start(home: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Start `bulklane serve`; its output goes to serve.log beside the home."""
    home.mkdir(parents=True, exist_ok=True)
    with (home.parent / "serve.log").open("ab") as log:
        return subprocess.Popen(
            [BIN / "bulklane", "serve", *options],
            cwd=REPOSITORY,
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=dying_with_tests(),  # noqa: PLW1509 - it calls one function of libc
        )


def _ready(home: Path, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, (home.parent / "serve.log").read_text()[-3000:]
    path = home / "dev.json"
    return path.exists() and bool(json.loads(path.read_text())["pids"]["api"])


def csv_of(rows: list[dict[str, str]]) -> bytes:
    """Return a CSV file of rows that have the same columns."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()
