"""Serve the metrics of a worker to Prometheus, at a port of its own.

A worker has no other server, so this is the one of `prometheus_client`: a thread, which reads what it shows
and asks nobody. Several workers of one host take the next free port each.
"""

import asyncio
import errno
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

from schemas.metrics import registry_of
from schemas.settings import Settings
from storage.context import Context
from storage.operator.process_state import ProcessState
from worker.signs.heartbeat import beating

logger = logging.getLogger(__name__)

PORTS = 100  # are tried from METRICS_PORT on
TAKEN = {errno.EADDRINUSE, errno.EACCES}


class _Server(NamedTuple):
    server: WSGIServer
    thread: threading.Thread


@asynccontextmanager
async def showing(ctx: Context) -> AsyncIterator[None]:
    """Serve the metrics of this worker, and say where and that it lives, while the body runs."""
    async with serving_metrics(ctx) as port, beating(ctx, port):
        yield


@asynccontextmanager
async def serving_metrics(ctx: Context) -> AsyncIterator[int | None]:
    """Serve the metrics of this worker while the body runs. Yield the port, or None: it serves none.

    A worker without a port for them goes on: its work matters more.
    """
    if ctx.settings.metrics_port is None:
        yield None
        return
    registry = registry_of("worker", ProcessState(ctx, "worker"))
    found = _serve(ctx.settings, ctx.settings.metrics_port, registry)
    if found is None:
        yield None
        return
    port = found.server.server_port
    logger.info("serving metrics at http://%s:%d/metrics", ctx.settings.host, port)
    try:
        yield port
    finally:
        await asyncio.to_thread(_stop, found)


def _serve(settings: Settings, first: int, registry: CollectorRegistry) -> _Server | None:
    """Start the server at the first free port. Return None, and log it, if there is none."""
    problem: OSError | None = None
    for port in range(first, min(first + PORTS, 65536) if first else 1):
        try:
            return _Server(*start_http_server(port, settings.host, registry))
        except OSError as error:
            problem = error
            if error.errno not in TAKEN:
                break
    text = "this worker serves no metrics: cannot open a port from %d on at %s: %s: set METRICS_PORT and HOST"
    logger.error(text, first, settings.host, problem)
    return None


def _stop(found: _Server) -> None:
    found.server.shutdown()
    found.server.server_close()
    found.thread.join()
