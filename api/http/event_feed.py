"""Follow the changes of jobs: one reader per account for all streams of a process, no connection held."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from api.http.job_view import progress_view
from schemas.ids import AccountId, JobId
from storage.background import cancel, repeat
from storage.pipeline import changes
from storage.pipeline.changes import Cursor
from storage.pipeline.jobs import JobRow
from storage.postgres.pool import Pool

EVERY_SECONDS = 0.25  # between two looks at an account, so a job has at most four events a second
HEARTBEAT_SECONDS = 15.0  # many proxies cut a stream that is silent for 30 seconds or more
MOST_KEPT = 1_000  # events of an account, for streams that are slow; a slower one reads them again
KEEP_SECONDS = 5.0  # the same


class StaleCursor(Exception):
    """A cursor names transactions that this database never had: it was restored from a backup."""


@dataclass(frozen=True, slots=True)
class Event:
    """A job after a change, as text for all streams; the cursor covers this and all events before."""

    job_id: JobId
    ended: bool
    cursor: Cursor
    text: bytes


@dataclass(frozen=True, slots=True)
class EventBatch:
    """What to send at once. Without events: the place where a stream begins, or a sign of life (None)."""

    events: Sequence[Event] = ()
    start: Cursor | None = None


class Feed:
    """The events of one account, read once for all its streams."""

    def __init__(self, pool: Pool, account_id: AccountId) -> None:
        self._pool = pool
        self._account_id = account_id
        self._cursor: Cursor | None = None  # covers all events so far
        self._kept: list[Event] = []
        self._first = 0  # the number of the first event that is kept
        self._kept_until = 0.0
        self._arrived = asyncio.Event()
        self._looking = asyncio.Lock()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.streams = 0
        self.closed = False

    def change(self) -> None:
        """Look at the account soon."""
        self._changed.set()

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self._wake()

    async def follow(
        self, after: Cursor | None, job_id: JobId | None = None
    ) -> AsyncGenerator[EventBatch, None]:
        """Yield the events after a cursor, of all jobs or of one. Ends when the process stops.

        Without a cursor, it begins with the state of the one job, or with what happens from now on. A batch
        without events comes at the begin, and when there was none for HEARTBEAT_SECONDS. Raises StaleCursor
        at the begin.
        """
        number, cursor = await self._join(after)
        first = await self._state_of(job_id, cursor) if job_id and not after else ()
        yield EventBatch(first, start=after or cursor)
        if after is not None:
            async for events in self._missed(after, cursor, job_id):
                yield EventBatch(events)
        while not self.closed:
            if number < self._first:  # the client takes the events too slowly
                after = cursor
                number, cursor = await self._join(after)
                async for events in self._missed(after, cursor, job_id):
                    yield EventBatch(events)
            new = self._kept[number - self._first :]
            number += len(new)
            if new:
                cursor = new[-1].cursor
            if events := _only(new, job_id):
                yield EventBatch(events)
            elif not new and not await self._wait():
                yield EventBatch()

    def start(self, longest: Callable[[], float]) -> None:
        """Begin to look at the account: when a change is announced, or after `longest` seconds."""
        looking = repeat(EVERY_SECONDS, lambda: self._look_if_changed(longest()), what="looking for events")
        self._task = asyncio.create_task(looking)

    async def stop(self) -> None:
        """Look no more."""
        assert self._task is not None
        await cancel(self._task)

    async def _look_if_changed(self, longest: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await self._changed.wait()
        self._changed.clear()
        try:
            async with self._looking:
                await self._look()
        except Exception:
            self._changed.set()  # it is not seen yet
            raise

    async def _join(self, after: Cursor | None) -> tuple[int, Cursor]:
        """Return the number of the next event, and the cursor that covers those before and `after`."""
        async with self._looking:
            if self._cursor is None or (after and (self._cursor.parts or not self._cursor.includes(after))):
                await self._look()
            assert self._cursor is not None
            if after and not self._cursor.includes(after):
                raise StaleCursor
            return self._first + len(self._kept), self._cursor

    async def _look(self) -> None:
        if self._cursor is None:
            self._cursor = await changes.now(self._pool)
        more = True
        while more:
            page = await changes.read(self._pool, self._account_id, self._cursor)
            self._cursor, more = page.cursor, page.more
            self._keep([_event(change.job, change.cursor) for change in page.changes])

    def _keep(self, events: Sequence[Event]) -> None:
        now = asyncio.get_running_loop().time()
        if events:
            self._kept_until = now + KEEP_SECONDS
            self._kept.extend(events)
        too_many = len(self._kept) - MOST_KEPT if now < self._kept_until else len(self._kept)
        if too_many > 0:
            self._first += too_many
            del self._kept[:too_many]
        if events:
            self._wake()

    def _wake(self) -> None:
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    async def _wait(self) -> bool:
        """Wait for an event; return False if there was none for HEARTBEAT_SECONDS."""
        arrived = self._arrived
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await arrived.wait()
        return arrived.is_set()

    async def _missed(
        self, after: Cursor, until: Cursor, job_id: JobId | None
    ) -> AsyncIterator[Sequence[Event]]:
        more = True
        while more:
            page = await changes.read(self._pool, self._account_id, after, until=until)
            after, more = page.cursor, page.more
            if events := _only([_event(change.job, change.cursor) for change in page.changes], job_id):
                yield events

    async def _state_of(self, job_id: JobId, cursor: Cursor) -> Sequence[Event]:
        """Return the state of a job; nothing if it changed after the cursor: then the next look finds it."""
        found = await changes.of_job(self._pool, self._account_id, job_id)
        if found is None:
            return ()
        if cursor.covers(found.at, job_id):
            return (_event(found.job, cursor),)
        self.change()
        return ()


class Feeds:
    """The feeds of the accounts that somebody follows."""

    def __init__(self, pool: Pool, longest: Callable[[], float]) -> None:
        self._pool = pool
        self._longest = longest  # returns the seconds after which an account is looked at anyway
        self._feeds: dict[AccountId, Feed] = {}
        self._closed = False

    @property
    def streams(self) -> int:
        """The number of streams that are open now."""
        return sum(feed.streams for feed in self._feeds.values())

    def change(self, account_id: AccountId) -> None:
        """Look at an account soon, if somebody follows it."""
        if feed := self._feeds.get(account_id):
            feed.change()

    def change_all(self) -> None:
        """Look at all accounts that somebody follows."""
        for feed in self._feeds.values():
            feed.change()

    def close(self) -> None:
        """End all streams, also those that begin from now on."""
        self._closed = True
        for feed in self._feeds.values():
            feed.close()

    @asynccontextmanager
    async def feed(self, account_id: AccountId) -> AsyncIterator[Feed]:
        """Yield the feed of an account, which looks for changes while somebody uses it."""
        feed = self._feeds.get(account_id)
        if feed is None:
            feed = self._feeds[account_id] = Feed(self._pool, account_id)
            feed.closed = self._closed
            feed.start(self._longest)
        feed.streams += 1
        try:
            yield feed
        finally:
            feed.streams -= 1
            if not feed.streams:
                del self._feeds[account_id]
                await feed.stop()


def _event(job: JobRow, cursor: Cursor) -> Event:
    data = progress_view(job).model_dump_json()
    text = f"id: {cursor.show()}\nevent: job\ndata: {data}\n\n"
    return Event(job.id, job.state.ended, cursor, text.encode())


def _only(events: Sequence[Event], job_id: JobId | None) -> Sequence[Event]:
    return events if job_id is None else [event for event in events if event.job_id == job_id]
