"""Send one message over HTTP: to a public address, without redirects, bounded in bytes and in time."""

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from schemas.settings import Settings
from schemas.webhooks.addresses import refusal_of
from schemas.webhooks.urls import host_problem_of
from schemas.webhooks.verdicts import Answer, read_retry_after

ANSWER_BYTES = 1024  # of an answer that are read and kept
RESOLVERS = 32  # names that are looked up at once: a slow name server of one account must not stop all
HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"Bulklane/{version('bulklane')}",
    "Accept-Encoding": "identity",
}

LookUp = Callable[..., list[tuple[Any, ...]]]


class ForbiddenAddress(OSError):
    """A name has an address to which no message may be sent."""


class Poster:
    """Posts messages. Each attempt has a connection of its own, whose address is checked when it is made.

    So a name that is checked and then resolved again, to another address, is of no use to an attacker.
    """

    def __init__(self, settings: Settings, look_up: LookUp = socket.getaddrinfo) -> None:
        self._seconds = settings.webhook_seconds
        self._hosts = settings.webhook_hosts
        self._private_allowed = settings.webhook_private_addresses == "allow"
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="webhook-name")
        self._look_up = look_up
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,  # the number of deliveries is limited
            force_close=True,
            use_dns_cache=False,
            resolver=Resolver(self._threads, self._look_up),
            socket_factory=self._make_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a small answer may be very large once decompressed
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers=HEADERS,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """Make one attempt. Returns what became of it, and raises nothing."""
        started = time.monotonic()
        if problem := host_problem_of(url, self._hosts):
            return Answer(status=None, error=f"the URL {problem}", milliseconds=0)
        try:
            async with self._session.post(url, headers=headers, data=body, allow_redirects=False) as response:
                text = await _beginning(response)
                return Answer(
                    status=response.status,
                    body=text,
                    milliseconds=_since(started),
                    retry_after=read_retry_after(response.headers.get("Retry-After")),
                )
        except TimeoutError:
            error = f"no answer within {self._seconds:g} s"
        except Exception as failure:  # whatever an endpoint sends, its attempt counts and has an end
            error = f"{type(failure).__name__}: {failure}"[:500]
        return Answer(status=None, error=error.replace("\0", ""), milliseconds=_since(started))

    def _make_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for the very address to which aiohttp connects it next."""
        family, kind, protocol, _, address = info
        if not self._private_allowed and (refusal := refusal_of(address[0])):
            text = f"the address {address[0]} is {refusal}: use one of the public Internet"
            raise ForbiddenAddress(errno.EACCES, text)
        return socket.socket(family, kind, protocol)


class Resolver(AbstractResolver):
    """Resolves names in threads of its own: those of the event loop are few, and the database needs them."""

    def __init__(self, threads: ThreadPoolExecutor, look_up: LookUp) -> None:
        self._threads = threads
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError."""
        look_up = partial(self._look_up, host, port, family=family, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=family_found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family_found, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Do nothing: the threads belong to the poster."""


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Return the first bytes of an answer as text. An answer that breaks off, or is slow, has its status."""
    begun = bytearray()
    try:
        while len(begun) < ANSWER_BYTES:
            piece = await response.content.read(ANSWER_BYTES - len(begun))
            if not piece:
                break
            begun += piece
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    return begun.decode("utf-8", "replace").replace("\0", "\ufffd")


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
