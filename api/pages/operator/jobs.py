"""The jobs of all accounts, and one of them."""

from aiohttp import web

from api.actions.account_id import account_named
from api.actions.cancel_job import cancel_and_wait
from api.actions.operator.owned_job import OWNED_JOB, list_owned_jobs, show_owned_job
from api.html.render import OPERATOR, page, see_other
from api.http.context import operator_pool
from api.http.validation import check
from api.http.views.audit_view import audit_entry
from api.openapi.describe import describe
from api.pages.forms import read_form
from api.pages.operator.overview import REFRESH_SECONDS
from schemas.operations import Operation
from schemas.states import JobState
from schemas.wire.operator import OperatorJobsQuery
from storage.inspection import job_audit


@describe(hidden=True)
async def list_all_jobs(request: web.Request) -> web.Response:
    """Show the jobs of all accounts, unfinished ones first, or those that the filters select."""
    given = {name: value for name, value in request.query.items() if value}
    query = check(given, OperatorJobsQuery)
    account_id = await account_named(request, query.account) if query.account else None
    found = await list_owned_jobs(request, query, account_id)
    return page(
        request,
        "operator/jobs.html",
        frame=OPERATOR,
        refresh=REFRESH_SECONDS,
        jobs=found.jobs,
        following=found.following,
        query=query,
        states=list(JobState),
        operations=list(Operation),
    )


@describe(hidden=True)
async def show_any_job(request: web.Request) -> web.Response:
    """Show a job of any account."""
    key = await OWNED_JOB.in_path(request)
    job = await show_owned_job(request, key)
    rows = await job_audit.actions(operator_pool(request), key.account_id, key.job_id)
    audit = [audit_entry(row, whole=True) for row in rows]
    known = {} if job.state.ended else {"refresh": REFRESH_SECONDS}
    return page(request, "operator/job.html", frame=OPERATOR, job=job, audit=audit, **known)


@describe(hidden=True)
async def cancel_any_job(request: web.Request) -> web.Response:
    """Cancel a job, and show it."""
    await read_form(request)
    key = await OWNED_JOB.in_path(request)
    await cancel_and_wait(request, key.account_id, key.job_id)
    return see_other(request.path.removesuffix("/cancel"))
