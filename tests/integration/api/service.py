"""The api, served in the test's event loop with the options of its process, and a client of one account."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from api.app import make_app
from api.http.access_log import AccessLog, access
from api.http.context import API, Api
from schemas.settings import Settings
from storage.access import api_keys
from storage.context import Context
from storage.entities.accounts import Account
from tests.factories import make_account

COOKIE = "bulklane_session"
EVENTS = "text/event-stream"
UPSERT = "/v1/bulk/contacts.upsert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running api."""

    port: int
    app: web.Application
    runner: web.AppRunner

    @property
    def api(self) -> Api:
        """The dependencies of its handlers."""
        return self.app[API]


@asynccontextmanager
async def serve(settings: Settings, *, shutdown_seconds: float = 1.0) -> AsyncIterator[Service]:
    """Serve on a free port of the loopback interface, with the options of `python -m api`."""
    app = make_app(settings)
    runner = web.AppRunner(
        app,
        auto_decompress=False,
        access_log=access,
        access_log_class=AccessLog,
        shutdown_timeout=shutdown_seconds,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        (address,) = runner.addresses
        yield Service(port=address[1], app=app, runner=runner)
    finally:
        await runner.cleanup()


class Response(NamedTuple):
    """A response whose body is read."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The `error` of the envelope."""
        error: dict[str, Any] = self.json["error"]
        return error


class Client:
    """Sends requests with the key of one account."""

    def __init__(self, session: aiohttp.ClientSession, account: Account, key: str) -> None:
        self._session = session
        self.account = account
        self.key = key
        self._cookie: str | None = None

    def open(
        self, method: str, path: str, **options: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a request with the account's key, unless `headers` has another; the body is not read."""
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        return self._session.request(method, path, headers=headers, **options)

    async def call(self, method: str, path: str, **options: Any) -> Response:
        """Send a request, and read the response: of a stream of events, which has no end, the first chunk."""
        async with self.open(method, path, **options) as response:
            endless = response.content_type == EVENTS and response.status == 200
            body = (await response.content.readchunk())[0] if endless else await response.read()
            return Response(response.status, response.headers, body)

    async def get(self, path: str, **headers: str) -> Response:
        """Send a GET. Underscores in the names of `headers` become hyphens."""
        return await self.call("GET", path, headers=_names(headers))

    async def visit(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        form: Mapping[str, str] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request for a page as a browser that is signed in; redirects are not followed."""
        if self._cookie is None:
            self._cookie = await sign_in(self._session, self.key)
        token = csrf_token(self._cookie)
        data = form if isinstance(form, bytes) else {"csrf_token": token, **(form or {})}
        headers = {"Cookie": f"{COOKIE}={self._cookie}", "X-CSRF-Token": token, **(headers or {})}
        async with self._session.request(
            method,
            path,
            params=query,
            data=None if method == "GET" else data,
            headers=headers,
            allow_redirects=False,
        ) as response:
            return Response(response.status, response.headers, await response.read())

    async def submit(self, body: Any, content_type: str, query: str = "", **headers: str) -> Response:
        """Submit a body to contacts.upsert."""
        headers = {"Content-Type": content_type} | _names(headers)
        return await self.call("POST", UPSERT + query, data=body, headers=headers)

    async def submit_items(self, items: Any, query: str = "", **headers: str) -> Response:
        """Submit items as JSON to contacts.upsert."""
        return await self.submit(json.dumps(items).encode(), "application/json", query, **headers)

    async def job(self, response: Response) -> Any:
        """Read the current job of a 202."""
        assert response.status == 202, response.body
        return (await self.get(response.headers["Location"])).json

    async def jobs(self) -> list[Any]:
        """Return the newest 100 jobs of the account."""
        data: list[Any] = (await self.get("/v1/jobs?limit=100")).json["data"]
        return data


async def sign_in(session: aiohttp.ClientSession, key: str) -> str:
    """Return the cookie of a new session in the pages."""
    async with session.post("/sign-in", data={"key": key}, allow_redirects=False) as response:
        assert response.status == 303, await response.text()
        return response.cookies[COOKIE].value


def csrf_token(cookie: str) -> str:
    """Return the token that the pages put into their forms."""
    return hashlib.sha256(b"csrf:" + cookie.encode()).hexdigest()


async def make_client(ctx: Context, session: aiohttp.ClientSession, **change: Any) -> Client:
    """Create an account with a key, and return its client."""
    account = await make_account(ctx, **change)
    _, key = await api_keys.create_key(ctx.pool, account.id)
    return Client(session, account, key)


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
