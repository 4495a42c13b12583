"""A client of one account. Small requests use bare connections: an HTTP library costs as much as the api."""

import asyncio
import json
import time
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import aiohttp

from schemas.ids import AccountId

NDJSON = "application/x-ndjson"
END_SECONDS = 3_600.0


class Client:
    """Submits jobs of one account and waits for their ends."""

    def __init__(self, host: str, port: int, account_id: AccountId, key: str) -> None:
        self.account_id = account_id
        self.key = key
        self._address = host, port
        self.url = f"http://{host}:{port}"
        self._session: aiohttp.ClientSession | None = None

    async def run(self, operation: str, body: bytes, **params: str) -> float:
        """Run a job to its end. Return the seconds from the first byte to the end."""
        started = time.perf_counter()
        await self.ended(await self.submit(operation, body, **params))
        return time.perf_counter() - started

    async def submit(self, operation: str, body: Any, **params: str) -> dict[str, Any]:
        """Send NDJSON: bytes or an iterator of bytes. Return the accepted job."""
        job: dict[str, Any] = await self.call(
            "POST", f"/v1/bulk/{operation}?{urlencode(params)}", body, {"Content-Type": NDJSON}, status=202
        )
        return job

    async def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """Wait for the end of a job. Raises AssertionError unless it is completed without item errors."""
        async with asyncio.timeout(END_SECONDS):
            while not job["finished_at"]:
                job = await self.call("GET", f"/v1/jobs/{job['id']}?wait=60")
        assert job["state"] == "completed", job
        return job

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> Any:
        """Send any request. Return the JSON of the response. Raises AssertionError for another status."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {self.key}"}, timeout=aiohttp.ClientTimeout(total=None)
            )
        async with self._session.request(method, self.url + path, data=body, headers=headers) as response:
            answer = await response.json()
            assert response.status == status, answer
            return answer

    def connection(self) -> "Connection":
        """Return a bare connection, to use with `async with`."""
        return Connection(*self._address, self.key)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()


class Connection:
    """A connection that stays open for many small requests."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._address = host, port
        self._key = key
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def submit(
        self, body: bytes, *, operation: str = "contacts.upsert", wait: int = 0, status: int = 202
    ) -> dict[str, Any]:
        """Submit a JSON array, and wait at most `wait` seconds for the end. Return the job.

        `operation` may have a query.
        """
        head = f"POST /v1/bulk/{operation} HTTP/1.1\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n" + (f"Prefer: wait={wait}\r\n" if wait else "")
        return await self._call(head, body, status)

    async def get(self, path: str) -> dict[str, Any]:
        """Return the JSON of a GET."""
        return await self._call(f"GET {path} HTTP/1.1\r\n", b"", 200)

    async def get_or_refusal(self, path: str) -> dict[str, Any] | None:
        """Return the JSON of a GET, or None if the answer is a 503."""
        status, content = await self._exchange(f"GET {path} HTTP/1.1\r\n", b"")
        assert status in {200, 503}, content
        value: dict[str, Any] | None = json.loads(content) if status == 200 else None
        return value

    async def _call(self, head: str, body: bytes, status: int) -> dict[str, Any]:
        received, content = await self._exchange(head, body)
        assert received == status, content
        value: dict[str, Any] = json.loads(content)
        return value

    async def _exchange(self, head: str, body: bytes) -> tuple[int, bytes]:
        """Send a request. Return the status and the body of the answer."""
        head += f"Host: bench\r\nAuthorization: Bearer {self._key}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, _, rest = answer.partition(b"content-length:")
        content = await self._reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        return int(answer.split(b" ", 2)[1]), content
