"""Follow the changes of jobs: one reader per account for all streams of a process, no connection held."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from api.feeds.event_follower import Event, Follower, Piece, pieces_of
from api.feeds.event_reader import EventReader
from schemas.ids import AccountId, JobId
from storage.access import api_keys
from storage.background import repeat
from storage.pipeline import changes
from storage.pipeline.changes import Cursor
from storage.pipeline.jobs import JobRow
from storage.postgres.db_errors import is_ours
from storage.postgres.pool import Pool
from storage.repeated_log import RepeatedLog

logger = logging.getLogger(__name__)

EVERY_SECONDS = 0.25  # between two looks at an account, so a job has at most four events a second
LOOKS_SHARE = 0.1  # of its time an account is read at most, because a large job takes long to read
FOLLOWERS_A_STEP = 200  # are written to without letting requests run
MOST_UNSENT = 64 * 2**20  # bytes that are written to all slow clients of the process, about
LEAST_PIECE = 16 * 2**10  # bytes that are written to a client even if there are very many


class StaleCursor(Exception):
    """A cursor names transactions that this database never had: it was restored from a backup."""


class Feed:
    """The events of one account, read once for all its streams."""

    def __init__(self, feeds: "Feeds", account_id: AccountId) -> None:
        self._feeds = feeds
        self._account_id = account_id
        self.cursor: Cursor | None = None  # covers all events so far
        self._version = 0  # grows with the events
        self._live: defaultdict[JobId | None, set[Follower]] = defaultdict(set)  # None: of all jobs
        self._looking = asyncio.Lock()
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(
            repeat(EVERY_SECONDS, self._look_if_changed, what="looking for events")
        )
        self._catching_up: set[asyncio.Task[None]] = set()
        self.followers: set[Follower] = set()
        self.users = 0

    def change(self) -> None:
        """Look at the account soon."""
        self._changed.set()

    async def begin(self, after: Cursor | None) -> Cursor:
        """Return the place where a stream begins: `after`, or behind all that has happened.

        Raises StaleCursor.
        """
        async with self._looking:
            if self.cursor is None or (after and (self.cursor.parts or not self.cursor.includes(after))):
                await self._look()
            assert self.cursor is not None
            if after and not self.cursor.includes(after):
                raise StaleCursor
            return after or self.cursor

    def add(self, follower: Follower, *, state: bool) -> None:
        """Send to a follower what it misses, and from then on all that changes.

        With `state`, its one job has an event even if it has not changed.
        """
        self.followers.add(follower)
        follower.catch_up = self._catch_up
        follower.lost.append(self._remove)
        self._catch_up(follower, state=state)

    def stop(self) -> set["asyncio.Task[None]"]:
        """Look no more. Return the tasks that end then."""
        tasks = {self._task, *self._catching_up}
        for task in tasks:
            task.cancel()
        return tasks

    def _remove(self, follower: Follower) -> None:
        self.followers.discard(follower)
        self._forget(follower)
        self._feeds.leave(self._account_id)

    def _forget(self, follower: Follower) -> None:
        """Write no more to a follower."""
        if some := self._live.get(follower.job_id):
            some.discard(follower)
            if not some:
                del self._live[follower.job_id]

    def _catch_up(self, follower: Follower, *, state: bool = False) -> None:
        self._forget(follower)
        task = asyncio.create_task(self._send_missed(follower, state=state))
        self._catching_up.add(task)
        task.add_done_callback(self._catching_up.discard)

    async def _send_missed(self, follower: Follower, *, state: bool) -> None:
        """Send what a follower misses, until it can be live.

        Ends it if the process stops or its job is deleted.
        """
        try:
            while not (self._feeds.closed or follower.gone):
                until, version = self.cursor, self._version
                assert until is not None
                if not await self._send_until(follower, until, state=state):
                    break
                state = False
                if version == self._version:
                    follower.live = True
                    self._live[follower.job_id].add(follower)
                    return
            follower.end()
        except Exception as error:
            kind = "a stream of events is cut, because its events cannot be read"
            self._feeds.repeated.log(logging.WARNING, kind, "%s: %s", kind, error, exc_info=is_ours(error))
            follower.abort()

    async def _send_until(self, follower: Follower, until: Cursor, *, state: bool) -> bool:
        """Send what a follower misses up to a place.

        Returns False if nothing follows: its job is deleted, or its end is sent.
        """
        if follower.job_id is None:
            async for events in self._feeds.reader.missed(self._account_id, follower.cursor, until):
                await follower.write(events)
        else:
            since = (follower.cursor, until)
            now = await self._feeds.reader.of_job(self._account_id, follower.job_id, since)
            if now is None:
                return False
            if not now.covered_by(until):
                self.change()  # the next look finds it
            elif state or not now.covered_by(follower.cursor):
                await follower.write([self._feeds.reader.event(now.job, until)])
        follower.cursor = until
        return not follower.has_end

    async def _look_if_changed(self) -> None:
        await self._changed.wait()
        self._changed.clear()
        try:
            async with self._looking:
                seconds = await self._look()
        except Exception:
            self._changed.set()  # it is not seen yet
            raise
        await asyncio.sleep(seconds / LOOKS_SHARE)

    async def _look(self) -> float:
        """Write what has changed to all followers. Return the seconds that it took to read it."""
        clock, seconds = asyncio.get_running_loop().time, 0.0
        if self.cursor is None:
            self.cursor = await changes.now(self._feeds.reader.pool)
        more = True
        while more:
            began, before = clock(), self.cursor
            page = await self._feeds.reader.after(self._account_id, before)
            seconds += clock() - began
            self.cursor, more = page.cursor, page.more
            if page.events:
                self._version += 1
                await self._write(page.events, before)
        return seconds

    async def _write(self, events: Sequence[Event], before: Cursor) -> None:
        pieces = list(pieces_of(events, self._feeds.piece_bytes))
        await self._write_to(self._live.get(None, ()), pieces, before)
        for event in events:
            if followers := self._live.get(event.job_id):
                await self._write_to(followers, [Piece([event])], before)

    async def _write_to(self, followers: Iterable[Follower], pieces: Sequence[Piece], before: Cursor) -> None:
        async for follower in in_steps(followers):
            if follower.live:
                follower.take(pieces, before)


class Feeds:
    """The feeds of the accounts that somebody follows."""

    def __init__(self, pool: Pool, data_of: Callable[[JobRow], str]) -> None:
        self.reader = EventReader(pool, data_of)
        self.repeated = RepeatedLog(logger)
        self.closed = False
        self._feeds: dict[AccountId, Feed] = {}

    @property
    def all(self) -> list[Feed]:
        """The feeds at this moment."""
        return list(self._feeds.values())

    @property
    def streams(self) -> int:
        """The number of streams that are open now."""
        return sum(len(feed.followers) for feed in self._feeds.values())

    @property
    def piece_bytes(self) -> int:
        """How much may be written to a client that perhaps reads nothing."""
        return max(LEAST_PIECE, MOST_UNSENT // max(self.streams, 1))

    def change(self, account_id: AccountId) -> None:
        """Look at an account soon, if somebody follows it."""
        if feed := self._feeds.get(account_id):
            feed.change()

    def change_all(self) -> None:
        """Look at all accounts that somebody follows."""
        for feed in self._feeds.values():
            feed.change()

    async def find_changes(self) -> None:
        """Look at the accounts that have changed although it was not announced."""
        since = {account_id: feed.cursor for account_id, feed in self._feeds.items() if feed.cursor}
        for account_id in await changes.changed_accounts(self.reader.pool, since) if since else ():
            self.change(account_id)

    def close(self) -> None:
        """End all streams, also those that begin from now on."""
        self.closed = True
        for follower in self._followers():
            follower.end()

    async def stop(self) -> None:
        """Look no more at any account."""
        self.close()
        for feed in self._feeds.values():
            await asyncio.wait(feed.stop())

    async def beat(self) -> None:
        """Write a sign of life to all followers. One whose job may have disappeared looks for it."""
        async for follower in in_steps(self._followers()):
            if follower.live:
                follower.beat()
                if follower.receiving:
                    follower.live = False
                    follower.catch_up(follower)

    async def end_closed(self) -> None:
        """End the streams whose keys are revoked or expired, or whose accounts are deleted."""
        followers = self._followers()
        keys = {follower.key for follower in followers if follower.key}
        active = await api_keys.active_keys(self.reader.pool, keys) if keys else keys
        async for follower in in_steps(followers):
            if follower.key and follower.key not in active:
                follower.end()

    @asynccontextmanager
    async def feed(self, account_id: AccountId) -> AsyncIterator[Feed]:
        """Yield the feed of an account, which looks for changes while the body runs or it has followers."""
        feed = self._feeds.get(account_id)
        if feed is None:
            feed = self._feeds[account_id] = Feed(self, account_id)
        feed.users += 1
        try:
            yield feed
        finally:
            feed.users -= 1
            self.leave(account_id)

    def leave(self, account_id: AccountId) -> None:
        """Stop the feed of an account if nobody needs it."""
        feed = self._feeds.get(account_id)
        if feed is not None and not feed.users and not feed.followers:
            del self._feeds[account_id]
            feed.stop()

    def _followers(self) -> list[Follower]:
        return [follower for feed in self.all for follower in feed.followers]


async def in_steps(followers: Iterable[Follower]) -> AsyncIterator[Follower]:
    """Yield followers, and let requests run now and then."""
    for place, follower in enumerate(tuple(followers), start=1):
        if place % FOLLOWERS_A_STEP == 0:
            await asyncio.sleep(0)
        yield follower
