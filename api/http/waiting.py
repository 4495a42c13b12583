"""Hold a response until a job ends: one subscription per process, no database connection while waiting."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Self

from aiohttp import web

from schemas.ids import AccountId, JobId
from schemas.wire.query_models import MAX_WAIT_SECONDS
from storage.background import cancel, repeat
from storage.entities.accounts import Account
from storage.pipeline import jobs
from storage.pipeline.jobs import JobRow
from storage.postgres.pool import Pool
from storage.queue import Queue

RETRY_SECONDS = 0.5
LOOK_SECONDS = 10.0  # read the state at least this often, because an announcement can be lost
DEAF_SECONDS = 1.0  # the same while no announcement can arrive
PREFERENCE = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d+)\"?", re.IGNORECASE | re.ASCII)
ASYNC = re.compile(r"(?:^|[,\s])respond-async(?:$|[,;\s])", re.IGNORECASE)


def wanted_wait(request: web.Request, account: Account) -> float:
    """Return the seconds to wait: by `Prefer` (RFC 7240: wait=S, respond-async), or the account's default."""
    preferences = ",".join(request.headers.getall("Prefer", []))
    if found := PREFERENCE.search(preferences):
        return min(int(found[1][:9]), MAX_WAIT_SECONDS)
    return 0 if ASYNC.search(preferences) else account.default_wait


class Ended:
    """Listens to the announcements of the workers and wakes the requests that wait for the end of a job."""

    def __init__(self, queue: Queue, pool: Pool) -> None:
        self._queue = queue
        self._pool = pool
        self._waiting: defaultdict[JobId, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._subscribed = False
        self.closing = False  # the process stops, so no request waits

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(
            repeat(RETRY_SECONDS, self._hear_announcements, what="listening to ended jobs")
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self.close()
        await cancel(self._task)

    def close(self) -> None:
        """End every wait."""
        self.closing = True
        self._wake_all()

    @property
    def waiting(self) -> int:
        """The number of requests that wait now."""
        return sum(map(len, self._waiting.values()))

    async def wait(
        self, account_id: AccountId, job_id: JobId, seconds: float, *, heard: asyncio.Event | None = None
    ) -> JobRow | None:
        """Return the job when it has ended or the time is up; None: the account has no such job.

        The wait also ends when the process stops. No database connection is held while waiting. `heard` is
        the event of a caller that listens since before the job was accepted: then the job is not read first.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        with nullcontext(heard) if heard else self.listen(job_id) as event:
            if heard:
                await self.hear(event, seconds)
            while True:
                event.clear()
                job = await jobs.view(self._pool, account_id, job_id)
                left = until - clock()
                if job is None or job.state.ended or left <= 0 or self.closing:
                    return job
                await self.hear(event, left)

    async def hear(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for an event of `listen`; at most for the time after which the state must be read again.

        Does not wait when the process stops. Returns whether the event is set.
        """
        if self.closing:
            return event.is_set()
        hears = self._subscribed and self._queue.breaker.closed
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LOOK_SECONDS if hears else DEAF_SECONDS)):
                await event.wait()
        return event.is_set()

    @contextmanager
    def listen(self, job_id: JobId) -> Iterator[asyncio.Event]:
        """Yield an event that is set when the job has ended, or when its state must be read again.

        Listen before reading the state, so that no announcement is missed in between.
        """
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        try:
            yield event
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    async def _hear_announcements(self) -> None:
        """Wake the requests of each job whose end is announced; ends when the connection to Redis is lost."""
        try:
            async for job_id in self._queue.ended_jobs():
                if job_id is None:
                    self._subscribed = True
                    self._wake_all()
                else:
                    self._wake(job_id)
        finally:
            self._subscribed = False
            self._wake_all()  # announcements may be missed from now on, so every request reads its state

    def _wake(self, job_id: JobId) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()
