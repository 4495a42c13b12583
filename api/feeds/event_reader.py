"""Read the changes of jobs as events, which are texts for all streams."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from api.feeds.event_follower import Event
from schemas.ids import AccountId, JobId
from schemas.states import JobState
from storage.pipeline import changes
from storage.pipeline.changes import Cursor
from storage.pipeline.jobs import JobRow
from storage.postgres.pool import Pool

READS_AT_ONCE = 2  # of what single streams have missed; other requests have the other connections
MISSED_JOBS = 50  # that are read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events, and the cursor that covers them all. `more`: read again from there."""

    events: Sequence[Event]
    cursor: Cursor
    more: bool


class EventReader:
    """Reads the events of all accounts. `data_of` returns the JSON of a job."""

    def __init__(self, pool: Pool, data_of: Callable[[JobRow], str]) -> None:
        self.pool = pool
        self._data_of = data_of
        self.reads = asyncio.Semaphore(READS_AT_ONCE)

    async def after(self, account_id: AccountId, cursor: Cursor) -> EventPage:
        """Return a page of the events of an account after a cursor."""
        page = await changes.read(self.pool, account_id, cursor)
        return self._shown(page)

    async def missed(
        self, account_id: AccountId, after: Cursor, until: Cursor
    ) -> AsyncIterator[Sequence[Event]]:
        """Yield the events of an account between two places, for a stream that has missed them."""
        more = after != until
        while more:
            async with self.reads:
                page = await changes.read(self.pool, account_id, after, until=until, size=MISSED_JOBS)
            after, more = page.cursor, page.more
            if page.changes:
                yield self._shown(page).events

    async def of_job(
        self, account_id: AccountId, job_id: JobId, since: Sequence[Cursor]
    ) -> changes.JobNow | None:
        """Return a job as it is now, see `changes.of_job`."""
        async with self.reads:
            return await changes.of_job(self.pool, account_id, job_id, since)

    def event(self, job: JobRow, cursor: Cursor) -> Event:
        """Return the event of a job."""
        return Event(
            job_id=job.id,
            ended=job.state.ended,
            receiving=job.state is JobState.RECEIVING,
            cursor=cursor,
            text=f"id: {cursor.show()}\nevent: job\ndata: {self._data_of(job)}\n\n".encode(),
        )

    def _shown(self, page: changes.Changes) -> EventPage:
        events = [self.event(change.job, change.cursor) for change in page.changes]
        return EventPage(events=events, cursor=page.cursor, more=page.more)
