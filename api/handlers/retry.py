"""POST /v1/jobs/{job_id}/retry: a new job from the failed items of an ended one."""

from aiohttp import web

from api.accept.accept import Accepted, feed_pieces, receive
from api.accept.body import Fingerprint
from api.accept.idempotency import find_earlier, read_key, same_request
from api.accept.plan import Plan, new_job
from api.accept.response import answer_job
from api.http.context import ACCOUNT, API
from api.http.validation import read_query
from api.http.waiting import wanted_wait
from api.openapi.describe import describe
from api.results.retry import check_retry, retried_bytes, retried_format
from schemas.errors import NotFound
from schemas.ids import read_job_id
from schemas.states import Operation
from schemas.wire.jobs import Job
from schemas.wire.queries import NoQuery
from storage.entities.accounts import Account
from storage.pipeline import jobs
from storage.pipeline.jobs import Parent
from storage.postgres.pool import Pool


@describe(query=NoQuery, responses={200: Job, 202: Job, 207: Job})
async def retry_job(request: web.Request) -> web.Response:
    """Accept a new job from the failed items alone, with the operation and the parameters of theirs."""
    read_query(request, NoQuery)
    api, account, key = request.app[API], request[ACCOUNT], read_key(request)
    seconds = wanted_wait(request, account)
    parent = await _parent(api.ctx.pool, account, request.match_info["job_id"])
    fingerprint = Fingerprint(request)
    if earlier := await find_earlier(api, account.id, key):
        again = Accepted(id=same_request(earlier, fingerprint.digest(), key))
        return await answer_job(request, again, seconds)
    check_retry(parent)
    plan = Plan(
        operation=RETRIED_AS.get(parent.operation, parent.operation),
        params=parent.params,
        parallel=parent.parallel,
        dry_run=parent.dry_run,
        parent_id=parent.job_id,
    )
    job = new_job(request, plan, retried_format(parent), key)
    feed = feed_pieces(retried_bytes(api.ctx.pool, parent), max_json_items=api.ctx.settings.max_json_items)
    accepted = await receive(api, job, fingerprint, feed)
    return await answer_job(request, accepted, seconds)


# What an overwrite has left in the list is to stay: whom it did not name is gone already.
RETRIED_AS = {Operation.LISTS_OVERWRITE: Operation.LISTS_ADD}


async def _parent(pool: Pool, account: Account, text: str) -> Parent:
    job_id = read_job_id(text)
    parent = await jobs.parent(pool, account.id, job_id) if job_id else None
    if parent is None:
        raise NotFound(f"there is no job {text}", code="unknown_job")
    return parent
