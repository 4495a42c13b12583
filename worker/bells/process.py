"""A worker process: one context from start to stop; inside it arq, which is restarted when it loses Redis."""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from typing import Any

from schemas.settings import Settings, shown_url
from storage import queue
from storage.background import beside, cancel
from storage.breaker import LOST_REDIS
from storage.context import Context
from storage.migrations import SchemaNotReady
from storage.postgres.db_errors import LOST_CONNECTION
from storage.repeated_log import RepeatedLog
from worker.bells.arq_app import STOP_SECONDS, calm_garbage_collection, make_worker
from worker.bells.arq_worker import BellWorker
from worker.bells.poll import Poll
from worker.context import open_context

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0  # seconds; work must continue within 10 s after the part is back
STEADY_SECONDS = 10.0  # a run of this length resets the pause
FAREWELL_SECONDS = 0.5  # to tell a Redis that responds that this worker is gone


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Work until `stop` is set. The loss of Redis or PostgreSQL does not end the process."""
    calm_garbage_collection()
    database_url, redis_url = settings.required_urls()
    redis = queue.connect(redis_url, queue_name=settings.queue_name)
    bell = asyncio.Event()
    pause = FIRST_PAUSE
    repeated = RepeatedLog(logger)
    while not stop.is_set():
        async with AsyncExitStack() as stack:
            opening = asyncio.create_task(stack.enter_async_context(open_context(settings, redis, bell)))
            try:
                if await _unless(stop, opening):
                    servers = shown_url(database_url), shown_url(redis_url)
                    logger.info("working, with PostgreSQL at %s and Redis at %s", *servers)
                    await _work(opening.result(), bell, stop)
                    break
            except SchemaNotReady as error:
                kind = "waiting for the schema"
                repeated.log(logging.WARNING, kind, "%s: %s", kind, error)
            except LOST_CONNECTION as error:
                kind = f"waiting for PostgreSQL at {shown_url(database_url)}"
                repeated.log(logging.WARNING, kind, "%s: %s: %s", kind, type(error).__name__, error)
        await _unless(stop, asyncio.create_task(asyncio.sleep(pause)))
        pause = min(pause * 2, LONGEST_PAUSE)
    with suppress(*LOST_REDIS):
        await redis.aclose()


async def _work(ctx: Context, bell: asyncio.Event, stop: asyncio.Event) -> None:
    """Serve bells, and poll while there are none. After `stop`, end what is running."""
    bells = Bells(ctx, bell)
    poll = Poll(ctx, lambda: bells.arrive)
    async with beside(bells.serve_forever(), poll.run_forever()):
        await stop.wait()
        logger.info("stopping: finishing the turns in progress")
        await asyncio.wait([asyncio.create_task(_end(ctx, bells, poll))], timeout=STOP_SECONDS)


async def _end(ctx: Context, bells: "Bells", poll: Poll) -> None:
    """Begin nothing, and wait for the end of what was begun."""
    await asyncio.gather(bells.end(), poll.end())
    await asyncio.gather(ctx.turn_slots.wait(), ctx.job_slots.wait())


async def _unless(stop: asyncio.Event, task: "asyncio.Task[Any]") -> bool:
    """Wait for the task and return True, or cancel it when `stop` is set. Raises what the task raises."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        await cancel(task)
        return False
    task.result()
    return True


class Bells:
    """Serves bells with arq, and starts arq again when it has lost Redis."""

    def __init__(self, ctx: Context, dry_run_bell: asyncio.Event) -> None:
        self._ctx = ctx
        self._dry_run_bell = dry_run_bell
        self._worker: BellWorker | None = None
        # of arq workers that lost Redis: what they began goes on, and nobody else refers to it
        self._work: set[asyncio.Task[Any]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()  # each waits for one of these and tells Redis

    @property
    def arrive(self) -> bool:
        """Whether arq runs."""
        return self._worker is not None

    async def serve_forever(self) -> None:
        """Serve bells until cancelled."""
        clock = asyncio.get_running_loop().time
        pause = FIRST_PAUSE
        repeated = RepeatedLog(logger)
        while True:
            started = clock()
            try:
                await self._serve()
            except LOST_REDIS as error:
                pause = FIRST_PAUSE if clock() - started > STEADY_SECONDS else pause
                kind = f"arq has stopped with {type(error).__name__}"
                text = "%s, starting it again every %g s: %s"
                repeated.log(logging.WARNING, kind, text, kind, LONGEST_PAUSE, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def end(self) -> None:
        """Take no further bells, and wait for the current ones. A Redis that hangs is not waited for."""
        if self._worker is not None:
            self._worker.allow_pick_jobs = False
            self._keep(self._worker)
        while self._work:
            await asyncio.wait(self._work)
            if self._worker is not None:
                self._keep(self._worker)  # a bell may have been taken before
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL_SECONDS)

    async def _serve(self) -> None:
        worker = make_worker(self._ctx, self._dry_run_bell)
        self._worker = worker
        try:
            await worker.main()
        finally:
            self._worker = None
            self._keep(worker)
            await self._close(worker)

    def _keep(self, worker: BellWorker) -> None:
        for work in worker.job_tasks.values():
            if not work.done() and work not in self._work:
                self._work.add(work)
                work.add_done_callback(self._work.discard)
        for task in worker.tasks.values():
            if task not in self._tasks:
                self._tasks.add(task)
                task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("a bell could not be completed in Redis: %s: %s", type(error).__name__, error)

    async def _close(self, worker: BellWorker) -> None:
        """Remove the sign of life that `arq --check` reads, if Redis responds, and disconnect."""
        with suppress(*LOST_REDIS):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await worker.pool.delete(worker.health_check_key)
                await worker.pool.aclose()
