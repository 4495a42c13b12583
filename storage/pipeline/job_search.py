"""Find jobs by a filter: pages of a list, newest first, and exact counts by state.

The triggers on jobs write `job_history` and the numbers of ended jobs (see `count_jobs` in storage/schema),
so a list and a count cost the same however many jobs an account has. The jobs that can be retried are listed
and counted there, too. One exception grows: with a prefix, the count reads each different name that begins
so. Jobs that have not ended are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ulid import ULID

from schemas.ids import AccountId, JobId
from schemas.states import JobState
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transaction

HOUR = timedelta(hours=1)
LAST_HOUR = datetime.max.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
LAST_CHARACTER = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)  # are no characters of a text in PostgreSQL
FEW_NAMED = 5_000  # jobs whose names match a prefix are read and sorted
LONG_PAGES = (100, 400, 1_500)  # of the next jobs, in which a prefix is looked for if more jobs match it

RETRYABLE = "retryable "  # before the state: another state of job_history, of the jobs that can be retried
OLDER = load(
    __name__,
    {"after": "<", "order": "DESC", "end": "infinity", "end_id": "ffffffff-ffff-ffff-ffff-ffffffffffff"}
    | {"retryable": RETRYABLE},
)
NEWER = load(
    __name__,
    {"after": ">", "order": "ASC", "end": "-infinity", "end_id": "00000000-0000-0000-0000-000000000000"}
    | {"retryable": RETRYABLE},
)
QUERIES = OLDER  # the statements of counts have no order


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What jobs to find. Each field that is set must match; `states` () means all states.

    `name` is the whole name, `prefix` its beginning. Jobs received from `since` to before `until` match.
    """

    states: tuple[JobState, ...] = ()
    operation: str | None = None  # not an Operation: a newer release that was rolled back may have stored it
    name: str | None = None
    prefix: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every job matches."""
        return self == JobFilter()

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        name, above = (self.name or "", None) if self.prefix is None else _range_of(self.prefix)
        return {
            "states": list(self.states or JobState),
            "operation": self.operation,
            "tag": self.tag or "",
            "name": name,
            "above": above,
            "since": self.since,
            "until": self.until,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlace:
    """A place in the list: beside the job `beside`, on the side of the older jobs or of the newer ones."""

    beside: JobId | None = None  # None: the end of the list, newest first
    newer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedJob:
    """A job that a client has named by its id, and whether it matches a filter."""

    id: JobId
    state: JobState
    failed: int
    matches: bool
    retryable: bool  # it has ended with failed items and was not retried


async def page(
    db: Conn | Pool, account_id: AccountId, wanted: JobFilter, *, size: int, place: ListPlace | None = None
) -> list[JobId]:
    """Return the ids of the `size` matching jobs next to a place in the list, newest first.

    The list is in the order of the times at which the jobs were received.
    """
    place = place or ListPlace()
    ids = await _next(db, {"account_id": account_id, **wanted.parameters()}, place, size)
    return ids[::-1] if place.newer else ids


async def counts(db: Conn | Pool, account_id: AccountId, wanted: JobFilter) -> dict[JobState, int]:
    """Return the number of matching jobs in each state of the filter, all at one moment."""
    parameters = wanted.parameters()
    rows = await QUERIES.counts(db, account_id=account_id, **parameters, **_hours(wanted.since, wanted.until))
    found = {row["state"]: row["jobs"] for row in rows}
    return {state: found.get(state, 0) for state in wanted.states or JobState}


async def unended(db: Conn | Pool, account_id: AccountId, wanted: JobFilter) -> list[JobId]:
    """Return the matching jobs that have not ended or been cancelled, oldest first, all at one moment."""
    rows = await QUERIES.unended(db, account_id=account_id, **wanted.parameters())
    return [row["id"] for row in rows]


async def retryable(
    pool: Pool, account_id: AccountId, wanted: JobFilter, *, size: int | None = None
) -> tuple[int, list[JobId]]:
    """Return the number of matching jobs that can be retried, and the ids of the `size` oldest, None for all.

    These jobs have ended with failed items and were not retried. Number and ids are read at one moment.
    """
    states = [RETRYABLE + state for state in wanted.states or JobState if state.ended]
    parameters = {"account_id": account_id, **wanted.parameters(), "states": states}
    async with transaction(pool, snapshot=True) as conn:
        rows = await QUERIES.counts(conn, **parameters, **_hours(wanted.since, wanted.until))
        count = sum(row["jobs"] for row in rows)
        size = count if size is None else size
        return count, [] if not count else await _next(conn, parameters, ListPlace(newer=True), size)


async def named(
    db: Conn | Pool, account_id: AccountId, wanted: JobFilter, job_ids: Sequence[JobId]
) -> list[NamedJob]:
    """Return the jobs of the account with these ids, oldest first."""
    rows = await QUERIES.named(db, account_id=account_id, ids=job_ids, **wanted.parameters())
    return [NamedJob(**{**row, "state": JobState(row["state"])}) for row in rows]


async def _next(db: Conn | Pool, parameters: Mapping[str, Any], place: ListPlace, size: int) -> list[JobId]:
    """Return the next jobs from a place on, in the direction of the place."""
    if parameters["above"] is None:
        return await _page(db, parameters, place, size)
    return await _page_by_prefix(db, parameters, place, size)


async def _page(db: Conn | Pool, parameters: Mapping[str, Any], place: ListPlace, size: int) -> list[JobId]:
    """Return a page of the jobs with a name, or with any."""
    rows = await _statements(place).page(db, **parameters, **_bounds(place), size=size)
    return [row["id"] for row in rows]


async def _page_by_prefix(
    db: Conn | Pool, parameters: Mapping[str, Any], place: ListPlace, size: int
) -> list[JobId]:
    """Return a page of the jobs whose names begin alike.

    These names are neighbours in job_history, but each has a list of its own. A few jobs are sorted. Of many,
    some are probably among the next jobs with any name; if these do not fill the page, all are sorted.
    """
    named = {key: parameters[key] for key in ("account_id", "name", "above")}
    if await QUERIES.has_many(db, **named, tag=parameters["tag"], most=FEW_NAMED):
        found: list[JobId] = []
        beside = place
        for long_page in LONG_PAGES:
            ids = await _page(db, {**parameters, "name": ""}, beside, long_page)
            matching = {row["id"] for row in await QUERIES.with_names(db, **named, ids=ids)}
            found += [job_id for job_id in ids if job_id in matching]
            if len(found) >= size or len(ids) < long_page:
                return found[:size]
            beside = ListPlace(beside=ids[-1], newer=place.newer)
    rows = await _statements(place).page_by_prefix(db, **parameters, **_bounds(place), size=size)
    return [row["id"] for row in rows]


def _statements(place: ListPlace) -> Any:
    return NEWER if place.newer else OLDER


def _bounds(place: ListPlace) -> dict[str, Any]:
    """Return the parameters of a place. The time in the id replaces that of a job which was deleted."""
    if place.beside is None:
        return {"id": None, "received_at": None}
    return {"id": place.beside, "received_at": ULID.from_uuid(place.beside).datetime}


def _hours(since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Return the whole hours of a time, and the spans at its ends that are shorter than an hour."""
    first, last = (
        (None if since is None else _hour_after(since)),
        (None if until is None else _hour_of(until)),
    )
    spans: list[tuple[datetime, datetime]] = []
    if since is not None and until is not None and first is not None and last is not None and first > last:
        spans.append((since, until))  # within one hour: first_hour > last_hour selects no whole hour
    else:
        if since is not None and first is not None and since < first:
            spans.append((since, first))
        if until is not None and last is not None and last < until:
            spans.append((last, until))
    return {
        "first_hour": first,
        "last_hour": last,
        "lows": [low for low, _ in spans],
        "highs": [high for _, high in spans],
    }


def _hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_after(moment: datetime) -> datetime:
    """Return the first full hour at or after a moment."""
    hour = _hour_of(moment)
    return hour if hour in (moment, LAST_HOUR) else hour + HOUR


def _range_of(prefix: str) -> tuple[str, str]:
    """Return the bounds of the texts with a prefix, in the order of their code points: from, and up to."""
    for length in range(len(prefix), 0, -1):
        following = ord(prefix[length - 1]) + 1
        if following in SURROGATES:
            following = SURROGATES.stop
        if following <= LAST_CHARACTER:
            return prefix, prefix[: length - 1] + chr(following)
    return prefix or "\1", chr(LAST_CHARACTER) * (len(prefix) + 1_000)  # longer than any name
