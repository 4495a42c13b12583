"""Charge each request to a window of its account, and report the window in the headers of the response."""

import math

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.context import ACCOUNT, API, BULK, LIMITS, UNCOUNTED, UNFINISHED
from api.http.views.limits_view import Policy, bulk_policy, read_policy
from schemas.errors import RateLimited
from storage.entities.accounts import Account
from storage.windows import admissions
from storage.windows.admissions import Admission
from storage.windows.window import Grant

TOO_MANY_JOBS_SECONDS = 5  # the time when one of them ends is not known


@web.middleware
async def report_limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the headers that `admit` has set on the request to the response."""
    response = await handler(request)
    if not response.prepared:
        response.headers.update(request.get(LIMITS, {}))
    return response


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Charge the account, and set the rate-limit headers on the request; raises RateLimited."""
    account = request.get(ACCOUNT)
    if account is not None:
        if request.match_info.handler in request.app[BULK]:
            await _charge_bulk(request, account)
        elif request.match_info.handler not in request.app[UNCOUNTED]:
            await _charge_read(request, account)
    return await handler(request)


async def _charge_bulk(request: web.Request, account: Account) -> None:
    """Charge the admission window, unless too many jobs of the account have not ended. Raises RateLimited."""
    ctx = request.app[API].ctx
    policy = bulk_policy(account)
    unfinished = request[UNFINISHED]
    full = unfinished >= ctx.settings.max_unfinished_jobs
    if policy.limit:
        admission = await admissions.admit(ctx.pool, account.id, charge=not full)
        request[LIMITS] = headers_of(policy, admission)
        if not admission.granted and not full:
            raise refusal(policy, admission)
    if full:
        raise RateLimited(
            f"{unfinished} jobs of this account have not ended: send the request again when some have",
            code="too_many_jobs",
            retry_after=TOO_MANY_JOBS_SECONDS,
        )


async def _charge_read(request: web.Request, account: Account) -> None:
    """Charge the read window. While Redis does not respond, nothing is counted and no headers are set."""
    ctx = request.app[API].ctx
    policy = read_policy(ctx.settings)
    if policy.limit:
        grant = await ctx.window.take(
            kind="reads",
            account_id=account.id,
            limit=policy.limit,
            window_seconds=policy.seconds,
            want=1,
            postgres_at=None,  # an exact limit of reads is not promised
            history=None,
        )
        if grant is not None:
            request[LIMITS] = headers_of(policy, grant)
            if not grant.granted:
                raise refusal(policy, grant)


def headers_of(policy: Policy, grant: Grant | Admission) -> dict[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers and the older X- form; times in seconds."""
    reset = min(math.ceil(grant.reset_seconds), policy.seconds)  # not 61 for a millisecond over 60
    return {
        "RateLimit-Policy": f'"{policy.kind}";q={policy.limit};w={policy.seconds}',
        "RateLimit": f'"{policy.kind}";r={grant.remaining};t={reset}',
        "X-RateLimit-Limit": str(policy.limit),
        "X-RateLimit-Remaining": str(grant.remaining),
        "X-RateLimit-Reset": str(reset),
    }


def refusal(policy: Policy, grant: Grant | Admission) -> RateLimited:
    """Return the error for a request that was not granted."""
    seconds = max(math.ceil(grant.wait_seconds), 1)
    return RateLimited(
        f"more than {policy.limit} {policy.noun} in {policy.seconds} seconds: retry after {seconds} s",
        retry_after=seconds,
    )
