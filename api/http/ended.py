"""Wait for the end of jobs: one subscription a process, and no database connection while waiting."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from uuid import UUID

from redis.asyncio import Redis

from schemas.ids import JobId
from storage.background import cancel
from storage.queue import ENDED

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5


class Ended:
    """Listens to the announcements of the workers and wakes those who wait."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: defaultdict[JobId, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self.closing = False  # the process is about to stop: nobody should wait any more

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen_forever())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self.close()
        await cancel(self._task)

    def close(self) -> None:
        """Let all who wait go."""
        self.closing = True
        self._wake_all()

    @property
    def waiting(self) -> int:
        """How many wait at this moment."""
        return sum(map(len, self._waiting.values()))

    @contextmanager
    def listen(self, job_id: JobId) -> Iterator[asyncio.Event]:
        """An event that is set when the job has ended, or when it is time to look for oneself.

        Listen first and read the state then: what is announced in between is not missed.
        """
        event = asyncio.Event()
        self._waiting[job_id].add(event)
        try:
            yield event
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen_once()
            except Exception as error:
                logger.warning("announcements lost: %s: %s", type(error).__name__, error)
            self._wake_all()  # whatever was announced meanwhile has to be looked up
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(ENDED)
            self._wake_all()
            while True:
                # a time-out short of the socket's lets redis-py check the health of a silent connection
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=2.0)
                if message is not None:
                    self._wake(JobId(UUID(message["data"].decode())))

    def _wake(self, job_id: JobId) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()
