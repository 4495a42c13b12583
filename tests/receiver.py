"""An endpoint for webhooks: it keeps what it receives, and answers as a test tells it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web


class Received(NamedTuple):
    """One attempt, as the endpoint received it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id of the message."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


Answering = Callable[[Received], Awaitable[web.StreamResponse]]


async def fine(_: Received) -> web.StreamResponse:
    """Answer 204."""
    return web.Response(status=204)


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Attempts in the order of their arrival, by path too. `answer` may be replaced."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    taken: list[Received] = field(default_factory=list)  # those that were answered with 2xx
    answer: Answering = fine
    busy: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # attempts in progress by path
    most_busy: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        return f"http://{host}:{self.port}{path}"

    async def wait(self, count: int, *, seconds: float = 10, taken: bool = True) -> list[Received]:
        """Return all attempts that were taken, or all, as soon as there are `count`; raises TimeoutError."""
        attempts = self.taken if taken else self.received
        async with asyncio.timeout(seconds), self.arrived:
            await self.arrived.wait_for(lambda: len(attempts) >= count)
        return list(attempts)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Keep an attempt and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        attempt = Received(request.path, headers, await request.read())
        self.received.append(attempt)
        self.busy[attempt.path] += 1
        self.most_busy[attempt.path] = max(self.most_busy[attempt.path], self.busy[attempt.path])
        await self._tell()
        try:
            response = await self.answer(attempt)
        finally:
            self.busy[attempt.path] -= 1
        if response.status < 300:
            self.taken.append(attempt)
            await self._tell()
        return response

    async def _tell(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Receive on a free port of the loopback interface, of IPv4 and IPv6."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()
