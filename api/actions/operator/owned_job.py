"""The jobs of all accounts, as the operator lists them, and the one that a path names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from aiohttp import web

from api.http.context import operator_pool
from api.http.operator_view import operator_job_view
from api.http.path_id import PathId
from schemas.errors import NotAcceptable
from schemas.ids import AccountId, read_job_id, show_job_id
from schemas.operations import Operation
from schemas.states import JobState
from schemas.wire.operator import OperatorJob, OperatorJobsQuery
from storage.operator import all_jobs
from storage.operator.all_jobs import JobKey, JobPlace
from storage.pipeline import job_search
from storage.pipeline.job_search import JobFilter, ListPlace

WORDS = {False: "unfinished", True: "ended"}  # of a cursor: which of the two parts of the list it is in


async def _owner(request: web.Request, text: str) -> JobKey | None:
    job_id = read_job_id(text)
    account_id = await all_jobs.account_of(operator_pool(request), job_id) if job_id else None
    return JobKey(account_id, job_id) if account_id and job_id else None


OWNED_JOB = PathId(name="job", param="job_id", look_up=_owner, code="unknown_job", of="there is")
OwnedJobInPath = Annotated[JobKey, OWNED_JOB]


@dataclass(frozen=True, slots=True)
class JobsPage:
    """A page of jobs; `following` is the cursor of the next one."""

    jobs: Sequence[OperatorJob]
    following: str | None


async def list_owned_jobs(
    request: web.Request, query: OperatorJobsQuery, account_id: AccountId | None
) -> JobsPage:
    """Return the jobs that a query selects: of all accounts the unfinished ones first, or of one account.

    Raises NotAcceptable for a wrong cursor.
    """
    pool, after = operator_pool(request), _place(query.cursor)
    if account_id is not None:
        places = await _of_account(request, account_id, query, after)
    else:
        places = await all_jobs.newest(
            pool,
            states=[query.state] if query.state else tuple(JobState),
            operations=[query.operation] if query.operation else tuple(Operation),
            after=after,
            size=query.limit + 1,
        )
    page = places[: query.limit]
    owned = await all_jobs.views(pool, [place.key for place in page])
    following = _cursor(page[-1]) if len(places) > query.limit else None
    return JobsPage([operator_job_view(row) for row in owned], following)


async def show_owned_job(request: web.Request, key: JobKey) -> OperatorJob:
    """Return a job of any account; raises NotFound if it was pruned meanwhile."""
    owned = await all_jobs.views(operator_pool(request), [key])
    return operator_job_view(OWNED_JOB.found(request, owned[0] if owned else None))


async def _of_account(
    request: web.Request, account_id: AccountId, query: OperatorJobsQuery, after: JobPlace | None
) -> list[JobPlace]:
    """Return the newest jobs of an account."""
    wanted = JobFilter(states=(query.state,) if query.state else (), operation=query.operation)
    place = ListPlace(beside=after.key.job_id if after else None)
    pool, size = operator_pool(request), query.limit + 1
    ids = await job_search.page(pool, account_id, wanted, size=size, place=place)
    return [JobPlace(True, JobKey(account_id, job_id)) for job_id in ids]


def _cursor(place: JobPlace) -> str:
    return f"{WORDS[place.ended]}.{show_job_id(place.key.job_id)}"


def _place(cursor: str | None) -> JobPlace | None:
    """Return the place that a cursor names; raises NotAcceptable."""
    if not cursor:
        return None
    word, _, text = cursor.partition(".")
    job_id = read_job_id(text)
    if word not in WORDS.values() or job_id is None:
        message = "cursor: is not a cursor: send the next_cursor of another page"
        raise NotAcceptable(message, code="invalid_parameter", param="cursor")
    return JobPlace(word == WORDS[True], JobKey(AccountId(0), job_id))
