"""Hold a response until a job ends. No database connection is held meanwhile."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

from aiohttp import web

from schemas.ids import AccountId, JobId
from schemas.wire.query_models import MAX_WAIT_SECONDS
from storage.entities.accounts import Account
from storage.pipeline import jobs
from storage.pipeline.jobs import JobRow
from storage.postgres.pool import Pool

PREFERENCE = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d+)\"?", re.IGNORECASE | re.ASCII)
ASYNC = re.compile(r"(?:^|[,\s])respond-async(?:$|[,;\s])", re.IGNORECASE)


def wanted_wait(request: web.Request, account: Account) -> float:
    """Return the seconds to wait: by `Prefer` (RFC 7240: wait=S, respond-async), or the account's default."""
    preferences = ",".join(request.headers.getall("Prefer", []))
    if found := PREFERENCE.search(preferences):
        return min(int(found[1][:9]), MAX_WAIT_SECONDS)
    return 0 if ASYNC.search(preferences) else account.default_wait


class Ended:
    """Wakes the requests that wait for the end of a job."""

    def __init__(self, pool: Pool, longest: Callable[[], float]) -> None:
        self._pool = pool
        self._longest = longest  # returns the seconds after which a state is read anyway
        self._waiting: defaultdict[JobId, set[asyncio.Event]] = defaultdict(set)
        self.closing = False  # the process stops, so no request waits

    def close(self) -> None:
        """End every wait."""
        self.closing = True
        self.wake_all()

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
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, self._longest())):
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

    def wake(self, job_id: JobId) -> None:
        """Let the requests of a job go on, which has ended."""
        for event in self._waiting.get(job_id, ()):
            event.set()

    def wake_all(self) -> None:
        """Let every request read the state of its job, because announcements may be missed."""
        for events in self._waiting.values():
            for event in events:
                event.set()
