"""An HTTP proxy in front of a service that refuses and loses the first attempts to send a file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

REFUSED = {2: 429, 3: 503}  # the number of the attempt and its status
HOP_BY_HOP = {"host", "transfer-encoding", "content-length", "connection", "expect"}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to send a file."""

    idempotency_key: str | None
    body: bytes


@dataclass
class RefusingProxy:
    """Loses the answer to the first POST, refuses the second with a 429 and the third with a 503."""

    service: str
    url: str = ""
    attempts: list[Attempt] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; GETs and later POSTs get what the service answers."""
        body = await request.read()
        if request.method == "POST":
            key = request.headers.get("Idempotency-Key")
            self.attempts.append(Attempt(idempotency_key=key, body=body))
            if len(self.attempts) in REFUSED:
                status = REFUSED[len(self.attempts)]
                return web.json_response({"error": {}}, status=status, headers={"Retry-After": "1"})
        answer = await self._forward(request, body)
        if request.method == "POST" and len(self.attempts) == 1:
            assert request.transport is not None
            request.transport.abort()
        return answer

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.request(
                request.method, self.service + request.path_qs, headers=headers, data=body
            ) as response,
        ):
            kept = {name: value for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=response.status, headers=kept, body=await response.read())


@asynccontextmanager
async def refusing(service: str) -> AsyncIterator[RefusingProxy]:
    """Run a proxy in front of the service at this URL."""
    proxy = RefusingProxy(service)
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", proxy.serve)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert isinstance(site.name, str)
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield proxy
    finally:
        await runner.cleanup()
