"""Hear what the workers announce: one subscription to Redis for all requests of a process."""

import asyncio
from typing import Self

from api.feeds.event_feed import Feeds
from api.http.waiting import Ended
from storage.announcements import announcements
from storage.background import cancel, repeat
from storage.inspection.job_progress import progress_of
from storage.pipeline.jobs import JobRow
from storage.postgres.pool import Pool
from storage.queue import Queue

RETRY_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0  # many proxies cut a stream that is silent for 30 seconds or more
KEYS_SECONDS = 2.0  # a stream ends so long after its key
LOOK_SECONDS = 10.0  # read what is waited for at least this often, because an announcement can be lost
DEAF_SECONDS = 1.0  # the same while no announcement can arrive


class Hearing:
    """Passes announcements on to the requests that wait for a job, and to the streams of events."""

    def __init__(self, queue: Queue, pool: Pool) -> None:
        self._queue = queue
        self._subscribed = False
        self._looked = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = Ended(pool, self._longest)
        self.feeds = Feeds(pool, _data_of)

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(repeat(RETRY_SECONDS, self._hear, what="hearing announcements of jobs")),
            asyncio.create_task(repeat(DEAF_SECONDS, self._look, what="looking for changes of jobs")),
            asyncio.create_task(
                repeat(HEARTBEAT_SECONDS, self.feeds.beat, what="signs of life of streams", pause_first=True)
            ),
            asyncio.create_task(
                repeat(KEYS_SECONDS, self.feeds.end_closed, what="looking at the keys of streams")
            ),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        for task in self._tasks:
            await cancel(task)
        await self.feeds.stop()

    def close(self) -> None:
        """End every wait and every stream."""
        self.ended.close()
        self.feeds.close()

    def _longest(self) -> float:
        return LOOK_SECONDS if self._subscribed and self._queue.breaker.closed else DEAF_SECONDS

    async def _hear(self) -> None:
        """Pass on what is announced; ends when the connection to Redis is lost."""
        try:
            async for announcement in announcements(self._queue.redis):
                if announcement is None:
                    self._subscribed = True
                    self._read_all()
                    continue
                for job_id in announcement.ended:
                    self.ended.wake(job_id)
                for account_id in announcement.changed:
                    self.feeds.change(account_id)
        finally:
            self._subscribed = False
            self._read_all()

    async def _look(self) -> None:
        """Find changes that were not heard, if it is time to."""
        now = asyncio.get_running_loop().time()
        if now - self._looked >= self._longest():
            await self.feeds.find_changes()
            self._looked = now  # after an error it is still time to

    def _read_all(self) -> None:
        """Read everything that is waited for: announcements may have been missed."""
        self.ended.wake_all()
        self.feeds.change_all()


def _data_of(job: JobRow) -> str:
    return progress_of(job).model_dump_json()
