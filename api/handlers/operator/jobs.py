"""/operator/v1/jobs: the jobs of all accounts."""

from aiohttp import web

from api.actions.account_id import account_named
from api.actions.cancel_job import cancel_and_wait
from api.actions.operator.owned_job import OWNED_JOB, OwnedJobInPath, list_owned_jobs, show_owned_job
from api.endpoint import endpoint
from api.http.context import operator_pool
from api.http.responses import shown
from api.http.views.audit_view import audit_entry
from schemas.ids import AccountId
from schemas.wire.base import Listing
from schemas.wire.operator import OperatorJob, OperatorJobsQuery
from schemas.wire.security.audit import AuditEntry
from storage.inspection import job_audit


@endpoint(responses={200: Listing[OperatorJob]}, resolve={"account": account_named})
async def list_all_jobs(request: web.Request, query: OperatorJobsQuery) -> web.Response:
    """List the jobs of all accounts, unfinished ones first, then the newest; or those of one account."""
    account: object = query.account  # resolved to an id
    account_id = AccountId(account) if isinstance(account, int) else None
    found = await list_owned_jobs(request, query, account_id)
    return shown(Listing[OperatorJob](data=list(found.jobs), next_cursor=found.following))


@endpoint(responses={200: OperatorJob})
async def get_any_job(request: web.Request, job_id: OwnedJobInPath) -> web.Response:
    """Get a job of any account."""
    return shown(await show_owned_job(request, job_id))


@endpoint(responses={200: Listing[AuditEntry]})
async def list_any_audit(request: web.Request, job_id: OwnedJobInPath) -> web.Response:
    """List who submitted, cancelled and retried a job, when and from where, in the order of time."""
    rows = await job_audit.actions(operator_pool(request), job_id.account_id, job_id.job_id)
    OWNED_JOB.found(request, rows or None)
    entries = [audit_entry(row, whole=True) for row in rows]
    return shown(Listing[AuditEntry](data=entries, next_cursor=None))


@endpoint(responses={200: OperatorJob}, errors=(409,))
async def cancel_any_job(request: web.Request, job_id: OwnedJobInPath) -> web.Response:
    """Cancel the items of a job that are not applied yet; applied items and their results are kept."""
    await cancel_and_wait(request, job_id.account_id, job_id.job_id)
    return shown(await show_owned_job(request, job_id))
