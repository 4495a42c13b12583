"""The history of a contact: the jobs and the single changes that touched it, newest first.

No index leads from a contact to its jobs, as in `contact_jobs`. So a look is bounded, and the next one
continues where it ended.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, takewhile
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import from_json

from schemas.callers import Caller, read_caller
from schemas.ids import AccountId, JobId, last_job_id
from schemas.states import JobState, Outcome
from storage.entities import contact_jobs
from storage.entities.contact_jobs import NO_INDEX, ContactJob, LookedAt
from storage.postgres.named_queries import Db, load

LOOKED_IMAGES = 1_000  # images that one look reads, at most: each has up to 1,000 ids
SINGLE_CHANGES = 100  # in one look
PARKED = "~"  # the first character of what stands for a phone within a transaction: see `upsert.park`
NO_NUMBER = 2**63 - 1  # larger than the number of any change
NEWEST, OLDEST = JobId(UUID(int=2**128 - 1)), JobId(UUID(int=0))
QUERIES = load(__name__)


class HistoryPlace(NamedTuple):
    """Where a look ended: it has read all newer jobs, and of this job some results and images.

    These are the results from `first_index` on, and the images from `number` on. `single` is the number of
    the last single change.
    """

    job_id: JobId
    first_index: int
    number: int
    single: int


START = HistoryPlace(NEWEST, NO_INDEX, NO_NUMBER, NO_NUMBER)


class ChangedField(NamedTuple):
    """A field, named as in before_images, and its values before and after; None: it had none."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTouch:
    """A job that touched a contact, with the index and the outcome of its last item that names it, if any."""

    id: JobId
    name: str | None
    operation: str
    state: JobState
    received_at: datetime
    item_index: int | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """What a job, or a caller by a single request, did to a contact. `changes` are newest first."""

    at: datetime  # when the job was received, or the request changed the contact
    job: JobTouch | None = None
    caller: Caller | None = None
    key_name: str | None = None
    changes: list[ChangedField] = field(default_factory=list)


class LookedHistory(NamedTuple):
    """The entries that a look found, newest first, and where to continue, if at all."""

    entries: list[Touch]
    end: HistoryPlace | None


async def look(
    db: Db, account_id: AccountId, contact_id: int, *, after: HistoryPlace = START
) -> LookedHistory:
    """Look for what touched a contact, from the newest change on, or from where an earlier look ended.

    Single changes are cheap to find, jobs are not. If there are many single changes, the look ends with them.
    """
    singles: list[Any] = await QUERIES.single_changes(
        db, account_id=account_id, contact_id=contact_id, below=after.single, rows=SINGLE_CHANGES
    )
    floor = last_job_id(singles[-1]["at"]) if len(singles) == SINGLE_CHANGES else OLDEST
    if floor >= after.job_id:
        return LookedHistory(_requests(singles), after._replace(single=singles[-1]["number"]))
    jobs, end = await _jobs(db, account_id, contact_id, after)
    if floor > (end.job_id if end else OLDEST):
        jobs = [entry for entry in jobs if entry.job and entry.job.id > floor]
        end = HistoryPlace(floor, NO_INDEX, NO_NUMBER, singles[-1]["number"])
    elif end:
        edge = end.job_id
        singles = list(takewhile(lambda row: last_job_id(row["at"]) >= edge, singles))
        end = end._replace(single=singles[-1]["number"] if singles else after.single)
    return LookedHistory(sorted(jobs + _requests(singles), key=attrgetter("at"), reverse=True), end)


async def _jobs(
    db: Db, account_id: AccountId, contact_id: int, after: HistoryPlace
) -> tuple[list[Touch], HistoryPlace | None]:
    """Return the jobs that touched a contact, and where this look ended."""
    place = LookedAt(after.job_id, after.first_index) if after.job_id != NEWEST else None
    looked = await contact_jobs.look(db, account_id, contact_id, after=place)
    end = HistoryPlace(*looked.end, 0, 0) if looked.end else None
    changes, end = await _changes(db, account_id, contact_id, after, end)
    jobs = {job.id: _touching(job) for job in looked.found if not job.dry_run}
    unnamed = [job_id for job_id in changes if job_id not in jobs]
    for row in await QUERIES.jobs(db, account_id=account_id, ids=unnamed) if unnamed else ():
        jobs[row["id"]] = JobTouch(**{**row, "state": JobState(row["state"])})
    entries = [
        Touch(at=job.received_at, job=job, changes=changes.get(job.id, []))
        for job in jobs.values()
        if end is None or job.id >= end.job_id
    ]
    return entries, end


async def _changes(
    db: Db, account_id: AccountId, contact_id: int, after: HistoryPlace, end: HistoryPlace | None
) -> tuple[dict[JobId, list[ChangedField]], HistoryPlace | None]:
    """Return what jobs changed in a contact, by job, and where the look ended: at `end`, or before."""
    rows = await QUERIES.images(
        db,
        account_id=account_id,
        contact_id=contact_id,
        before=after.job_id,
        number=after.number,
        last=end.job_id if end else OLDEST,
        rows=LOOKED_IMAGES,
    )
    found: dict[JobId, list[ChangedField]] = defaultdict(list)
    for row in rows:
        if row["job_id"] is not None:
            _add(found[row["job_id"]], _change_of(row))
    if (job_id := rows[0]["end_job"]) is not None:
        end = HistoryPlace(
            job_id, end.first_index if end and end.job_id == job_id else 0, rows[0]["end_number"], 0
        )
    return found, end


def _add(changes: list[ChangedField], earlier: ChangedField) -> None:
    """Add an earlier change. A phone that was parked between the two steps of a move is left out."""
    if earlier.field == "phone" and str(earlier.new).startswith(PARKED):
        for place, later in enumerate(changes):
            if (later.field, later.old) == (earlier.field, earlier.new):
                changes[place] = later._replace(old=earlier.old)
                return
    changes.append(earlier)


def _requests(rows: Sequence[Any]) -> list[Touch]:
    """Return the entries of single changes: one for the fields of a request."""
    return [
        Touch(at=at, caller=read_caller(caller), key_name=name, changes=list(map(_change_of, changes)))
        for (at, caller, name), changes in groupby(rows, key=itemgetter("at", "caller", "key_name"))
    ]


def _change_of(row: Any) -> ChangedField:
    return ChangedField(row["field"], from_json(row["old"] or "null"), from_json(row["new"] or "null"))


def _touching(job: ContactJob) -> JobTouch:
    return JobTouch(
        id=job.id,
        name=job.name,
        operation=job.operation,
        state=job.state,
        received_at=job.received_at,
        item_index=job.item_index,
        outcome=job.outcome,
    )
