"""The signs of life of a worker process, which the operator sees."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from storage.background import beside, repeat
from storage.context import Context
from storage.operator import workers
from storage.postgres.db_errors import LOST_CONNECTION

LEAVE_SECONDS = 1.0  # to delete the row of a worker that stops, if PostgreSQL responds


@asynccontextmanager
async def beating(ctx: Context) -> AsyncIterator[None]:
    """Say every few seconds that this worker lives while the body runs; then say that it stops."""
    started = time.monotonic()
    host, pid, release = socket.gethostname(), os.getpid(), version("bulklane")

    async def beat() -> None:
        age = time.monotonic() - started
        await workers.beat(ctx.pool, ctx.worker_id, host=host, pid=pid, version=release, age=age)

    try:
        async with beside(repeat(workers.BEAT_SECONDS, beat, what="the sign of life of this worker")):
            yield
    finally:
        with suppress(*LOST_CONNECTION):
            async with asyncio.timeout(LEAVE_SECONDS):
                await workers.leave(ctx.pool, ctx.worker_id)
