"""Charge each request once: a bulk request to the admission window, any other to the reading window."""

from datetime import UTC, datetime, timedelta
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.breaker import Breaker
from api.http.context import ACCOUNT, API, LIMITS
from api.http.rate_limits import Policy, bulk_policy, headers_of, read_policy, refusal
from schemas.errors import RateLimited
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline import uploads
from storage.window import Grant, History

BULK: web.AppKey[frozenset[object]] = web.AppKey(
    "bulk", frozenset
)  # handlers that the admission window counts
BREAKER = web.AppKey("breaker", Breaker)

TOO_MANY_JOBS_SECONDS = 5  # it is not known when one of them ends


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Charge the account, or refuse. The rate-limit headers are left on the request."""
    account = request.get(ACCOUNT)
    if account is not None:
        if request.match_info.handler in request.app[BULK]:
            await _charge_bulk(request, account)
        else:
            await _charge_read(request, account)
    return await handler(request)


async def _charge_bulk(request: web.Request, account: Account) -> None:
    """Ask the window first, so that a request that it refuses costs PostgreSQL nothing."""
    ctx = request.app[API].ctx
    policy = bulk_policy(account)
    if policy.limit:
        history = partial(uploads.recently_accepted, ctx.pool, account.id)
        take = partial(_take, ctx, account, policy, history)
        grant = await request.app[BREAKER].ask(take)
        _set_headers(request, policy, await _count(ctx, account) if grant is None else grant)
    unfinished = await uploads.unfinished(ctx.pool, account.id)
    if unfinished >= ctx.settings.max_unfinished_jobs:
        raise RateLimited(
            f"{unfinished} jobs of this account have not ended: send the request when some have",
            code="too_many_jobs",
            retry_after=TOO_MANY_JOBS_SECONDS,
        )


async def _charge_read(request: web.Request, account: Account) -> None:
    """Charge the reading window. While Redis is away nothing is counted, and there are no headers."""
    ctx = request.app[API].ctx
    policy = read_policy(ctx.settings)
    if policy.limit:
        grant = await request.app[BREAKER].ask(partial(_take, ctx, account, policy, None))
        if grant is not None:
            _set_headers(request, policy, grant)


async def _take(ctx: Context, account: Account, policy: Policy, history: History | None) -> Grant:
    return await ctx.window.take(
        kind=policy.kind,
        account_id=account.id,
        limit=policy.limit,
        window_seconds=policy.seconds,
        want=1,
        history=history,
    )


async def _count(ctx: Context, account: Account) -> Grant:
    """Count the accepted jobs instead, while Redis is away."""
    window = timedelta(seconds=account.window_seconds)
    now = datetime.now(UTC)
    accepted = await uploads.recently_accepted(ctx.pool, account.id, now - window)
    remaining = account.request_limit - len(accepted)
    wait = (accepted[-account.request_limit][0] + window - now).total_seconds() if remaining <= 0 else 0.0
    return Grant(
        granted=int(remaining > 0),
        at=now,
        wait_seconds=wait,
        remaining=max(remaining - 1, 0),
        reset_seconds=(accepted[-1][0] + window - now).total_seconds() if accepted else 0,
    )


def _set_headers(request: web.Request, policy: Policy, grant: Grant) -> None:
    request[LIMITS] = headers_of(policy, grant)
    if not grant.granted:
        raise refusal(policy, grant)
