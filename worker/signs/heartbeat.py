"""The signs of life of a worker process, which the operator sees."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from schemas.logs import name_worker
from storage.background import beside, repeat
from storage.context import Context
from storage.operator import workers

logger = logging.getLogger(__name__)

LEAVE_SECONDS = 1.0  # to delete the row of a worker that stops, if PostgreSQL responds


@asynccontextmanager
async def beating(ctx: Context, metrics_port: int | None = None) -> AsyncIterator[None]:
    """Say every few seconds that this worker lives while the body runs; then say that it stops.

    `metrics_port` is where it serves its metrics; None: it does not. The lines of its log name the worker.
    """
    name_worker(ctx.worker_id)
    started = time.monotonic()
    host, pid, release = socket.gethostname(), os.getpid(), version("bulklane")

    async def beat() -> None:
        age = time.monotonic() - started
        await workers.beat(
            ctx.pool,
            ctx.worker_id,
            host=host,
            pid=pid,
            version=release,
            age=age,
            metrics_port=metrics_port,
        )

    try:
        async with beside(repeat(workers.BEAT_SECONDS, beat, what="the sign of life of this worker")):
            yield
    finally:
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await workers.leave(ctx.pool, ctx.worker_id)
        except Exception as error:  # other workers delete the row after FORGET_SECONDS
            logger.info("the row of this worker stays for now: %s: %s", type(error).__name__, error)
