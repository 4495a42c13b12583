"""Bound the open connections of a process, and close those whose client is silent.

A connection is idle while it waits for a request. aiohttp closes one that stays idle for KEEPALIVE_SECONDS.
This module closes it earlier if it has not sent a request at all, or if a new connection needs its place, and
cuts one whose client takes nothing of a response.
"""

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from schemas.settings import Settings
from storage.background import repeat
from storage.repeated_log import RepeatedLog

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
PEERS_A_STEP = 1_000  # looked at without letting requests run
OTHER_DESCRIPTORS = 100  # of the process: pools, Redis, sockets that listen, files of libraries
LEAST_CONNECTIONS = 50


@dataclass(slots=True, kw_only=True)
class _Peer:
    """What is known of a connection; times by the clock of the loop."""

    transport: asyncio.Transport
    address: str
    since: float  # it is idle, or its response does not progress
    new: bool = True  # it has not sent a request
    busy: bool = False
    unsent: int = 0  # bytes in the write buffer at the last look


class Connections:
    """The open connections of one application.

    `most` is their largest number. When it is reached, the one that is idle for the longest time is closed.
    """

    def __init__(self, settings: Settings, *, most: int) -> None:
        self.most = most
        limit = settings.max_connections_per_address
        self.most_of_address = max(most // 2, 1) if limit is None else limit  # 0: no limit
        self._settings = settings
        self._peers: dict[asyncio.BaseProtocol, _Peer] = {}  # idle ones in the order of their last request
        self._of_address: Counter[str] = Counter()
        self._repeated = RepeatedLog(logger)

    def __len__(self) -> int:
        return len(self._peers)

    def open(self, protocol: asyncio.BaseProtocol, transport: asyncio.Transport) -> None:
        """Count a new connection; close it, or the one that is idle for longest, if it is one too many."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._has_room_for(address):
            self._log("too many connections of one address", f"{address} has {self._of_address[address]}")
            transport.abort()
        elif len(self._peers) >= self.most and not self._close_idle():
            self._log("too many connections", f"all {self.most} are busy")
            transport.abort()
        now = asyncio.get_running_loop().time()
        self._count(protocol, _Peer(transport=transport, address=address, since=now))

    def close(self, protocol: asyncio.BaseProtocol) -> None:
        """Forget a connection that is closed."""
        if peer := self._peers.pop(protocol, None):
            self._of_address[peer.address] -= 1
            if not self._of_address[peer.address]:
                del self._of_address[peer.address]

    def hand_over(self, protocol: web.RequestHandler, to: asyncio.Protocol) -> bool:
        """Give a connection to another protocol: it counts as busy until the caller calls `close`.

        For aiohttp, the client has left.
        Returns False if it has really left.
        """
        peer, transport = self._peers.get(protocol), protocol.transport
        if peer is None or transport is None or transport.is_closing():
            return False
        self.close(protocol)
        protocol.transport = None  # otherwise it would close it
        protocol.connection_lost(None)
        transport.set_protocol(to)
        self._count(to, replace(peer, busy=True))
        to.connection_made(transport)
        return True

    @contextmanager
    def serving(self, protocol: asyncio.BaseProtocol) -> Iterator[None]:
        """Count a connection as busy while the body runs."""
        peer = self._peers.get(protocol)
        if peer is None:
            yield
            return
        peer.busy, peer.new = True, False
        try:
            yield
        finally:
            peer.busy, peer.since = False, asyncio.get_running_loop().time()
            if protocol in self._peers:
                self._peers[protocol] = self._peers.pop(protocol)  # the last one that became idle

    async def sweep(self) -> None:
        """Close the connections whose client has been silent for too long."""
        now = asyncio.get_running_loop().time()
        for position, peer in enumerate(list(self._peers.values()), start=1):
            if position % PEERS_A_STEP == 0:
                await asyncio.sleep(0)
            unsent = peer.transport.get_write_buffer_size()
            if unsent != peer.unsent:
                peer.unsent, peer.since = unsent, now
            elif unsent and now - peer.since > self._settings.write_idle_seconds:
                self._log("a client reads nothing of its response", f"{peer.address}, {unsent} bytes unsent")
                peer.transport.abort()
            elif peer.new and now - peer.since > self._settings.header_seconds:
                self._log("a new connection sends no request", peer.address)
                peer.transport.abort()

    async def sweep_always(self) -> None:
        """Sweep every SWEEP_SECONDS."""
        await repeat(SWEEP_SECONDS, self.sweep, what="closing silent connections")

    def _count(self, protocol: asyncio.BaseProtocol, peer: _Peer) -> None:
        self._peers[protocol] = peer
        self._of_address[peer.address] += 1

    def _has_room_for(self, address: str) -> bool:
        if not self.most_of_address or self._settings.trusted_proxies:  # the address is that of a proxy
            return True
        return self._of_address[address] < self.most_of_address

    def _close_idle(self) -> bool:
        """Close the connection that has been idle for the longest time; return whether there is one."""
        for protocol, peer in self._peers.items():
            if not peer.busy and not peer.transport.is_closing():
                self._log("too many connections", f"closed an idle one of {peer.address}")
                peer.transport.abort()
                self.close(protocol)
                return True
        return False

    def _log(self, kind: str, detail: str) -> None:
        self._repeated.log(logging.WARNING, kind, "%s: %s", kind, detail)


CONNECTIONS = web.AppKey("connections", Connections)


@web.middleware
async def serve_connection(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the connection of the request as busy."""
    with request.app[CONNECTIONS].serving(request.protocol):
        return await handler(request)


def connections_of(protocol: web.RequestHandler) -> Connections:
    """Return the connections of the application that a protocol of aiohttp serves."""
    server: Any = protocol._manager  # aiohttp has no public way from a protocol to its application
    app: web.Application = server.request_handler.__self__
    return app[CONNECTIONS]


def most_connections() -> int:
    """Return how many connections the limit of file descriptors allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - OTHER_DESCRIPTORS, LEAST_CONNECTIONS)


def raise_descriptor_limit() -> None:
    """Raise the limit of file descriptors of this process as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            logger.warning("the limit of file descriptors stays %s: %s", soft, error)
