"""Announce to the api processes what clients wait for: jobs that have changed or ended. Redis publish.

A lost announcement only costs latency.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from arq.connections import ArqRedis

from schemas.ids import AccountId, JobId
from schemas.metrics import ANNOUNCEMENTS_LOST
from storage.background import repeat
from storage.breaker import Breaker

CHANNEL = "bulklane:jobs"
EVERY_SECONDS = 0.1  # between two announcements of changes; ends are announced at once


@dataclass(frozen=True, slots=True)
class Announcement:
    """Accounts whose jobs have changed, and jobs that have ended."""

    changed: Sequence[AccountId] = ()
    ended: Sequence[JobId] = ()


class Announcer:
    """Announces what this process has changed."""

    def __init__(self, redis: ArqRedis, breaker: Breaker) -> None:
        self._redis = redis
        self._breaker = breaker
        self._changed: set[AccountId] = set()
        self._some = asyncio.Event()

    def change(self, account_id: AccountId) -> None:
        """Announce soon that a job of an account has changed. Returns at once, and never fails."""
        self._changed.add(account_id)
        self._some.set()

    async def end(self, ends: Collection[tuple[AccountId, JobId]]) -> None:
        """Announce that jobs have ended, so that requests that wait for them continue."""
        await self._publish({account_id for account_id, _ in ends}, [job_id for _, job_id in ends])

    async def announce_changes(self) -> NoReturn:
        """Announce the changes, many at once, until cancelled."""
        await repeat(EVERY_SECONDS, self._announce, what="announcing changes of jobs")

    async def _announce(self) -> None:
        await self._some.wait()
        self._some.clear()
        changed, self._changed = self._changed, set()
        await self._publish(changed, [])

    async def _publish(self, changed: Collection[AccountId], ended: Collection[JobId]) -> None:
        message = " ".join(map(str, (*changed, *ended)))
        sent = await self._breaker.ask(lambda: self._redis.publish(CHANNEL, message), "jobs", "announce")
        if sent is None:
            ANNOUNCEMENTS_LOST.inc()


async def announcements(redis: ArqRedis) -> AsyncGenerator[Announcement | None, None]:
    """Yield what is announced. Raises an error of `breaker.LOST_REDIS`.

    The first value is None: from then on no announcement is missed.
    """
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        yield None
        while True:
            # shorter than the socket's time-out: redis-py then checks the health of a silent connection
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=2.0)
            if message is not None:
                words = message["data"].decode().split()
                yield Announcement(
                    [AccountId(int(word)) for word in words if word.isdigit()],
                    [JobId(UUID(word)) for word in words if not word.isdigit()],
                )
