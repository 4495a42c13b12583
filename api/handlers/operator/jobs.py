"""/operator/v1/jobs: the jobs of all accounts."""

from typing import Annotated

from aiohttp import web

from api.actions.cancel_job import CANCEL_WAIT_SECONDS, cancel_and_wait
from api.endpoint import endpoint
from api.handlers.operator.accounts import account_named
from api.http.context import API, operator_pool
from api.http.operator_view import operator_job_view
from api.http.path_id import PathId
from api.http.responses import shown
from schemas.errors import NotAcceptable
from schemas.ids import AccountId, read_job_id, show_job_id
from schemas.operations import Operation
from schemas.states import JobState
from schemas.wire.base import Listing
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


JOB = PathId(name="job", param="job_id", look_up=_owner, code="unknown_job", of="there is")
JobInPath = Annotated[JobKey, JOB]


@endpoint(responses={200: Listing[OperatorJob]}, resolve={"account": account_named})
async def list_all_jobs(request: web.Request, query: OperatorJobsQuery) -> web.Response:
    """List the jobs of all accounts, unfinished ones first, then the newest; or those of one account."""
    pool = operator_pool(request)
    account: object = query.account  # resolved to an id
    if isinstance(account, int):
        places = await _of_account(request, AccountId(account), query)
    else:
        places = await all_jobs.newest(
            pool,
            states=[query.state] if query.state else tuple(JobState),
            operations=[query.operation] if query.operation else tuple(Operation),
            after=_place(query.cursor),
            size=query.limit + 1,
        )
    page = places[: query.limit]
    owned = await all_jobs.views(pool, [place.key for place in page])
    following = _cursor(page[-1]) if len(places) > query.limit else None
    return shown(Listing[OperatorJob](data=[operator_job_view(row) for row in owned], next_cursor=following))


@endpoint(responses={200: OperatorJob})
async def get_any_job(request: web.Request, job_id: JobInPath) -> web.Response:
    """Get a job of any account."""
    return shown(await _view(request, job_id))


@endpoint(responses={200: OperatorJob}, errors=(409,))
async def cancel_any_job(request: web.Request, job_id: JobInPath) -> web.Response:
    """Cancel the items of a job that are not applied yet; applied items and their results are kept."""
    await cancel_and_wait(request.app[API], job_id.account_id, job_id.job_id, CANCEL_WAIT_SECONDS)
    return shown(await _view(request, job_id))


async def _of_account(
    request: web.Request, account_id: AccountId, query: OperatorJobsQuery
) -> list[JobPlace]:
    """Return the newest jobs of an account."""
    after = _place(query.cursor)
    wanted = JobFilter(states=(query.state,) if query.state else (), operation=query.operation)
    place = ListPlace(beside=after.key.job_id if after else None)
    pool, size = operator_pool(request), query.limit + 1
    ids = await job_search.page(pool, account_id, wanted, size=size, place=place)
    return [JobPlace(True, JobKey(account_id, job_id)) for job_id in ids]


async def _view(request: web.Request, key: JobKey) -> OperatorJob:
    owned = await all_jobs.views(operator_pool(request), [key])
    return operator_job_view(JOB.found(request, owned[0] if owned else None))


def _cursor(place: JobPlace) -> str:
    return f"{WORDS[place.ended]}.{show_job_id(place.key.job_id)}"


def _place(cursor: str | None) -> JobPlace | None:
    """Return the place that a cursor names; raises NotAcceptable."""
    if cursor is None:
        return None
    word, _, text = cursor.partition(".")
    job_id = read_job_id(text)
    if word not in WORDS.values() or job_id is None:
        message = "cursor: is not a cursor: send the next_cursor of another page"
        raise NotAcceptable(message, code="invalid_parameter", param="cursor")
    return JobPlace(word == WORDS[True], JobKey(AccountId(0), job_id))
