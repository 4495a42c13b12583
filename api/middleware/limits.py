"""Charge each request to a window of its account, and report the window in the headers of the response."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.context import ACCOUNT, API, LIMITS
from schemas.errors import RateLimited
from schemas.settings import Settings
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline import uploads
from storage.window import Grant, History, WindowKind

READ_SECONDS = 60  # READ_LIMIT is a number of requests a minute
TOO_MANY_JOBS_SECONDS = 5  # the time when one of them ends is not known

# the handlers that the admission window counts
BULK: web.AppKey[frozenset[object]] = web.AppKey("bulk", frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `limit` requests of a kind in any `seconds`; 0: no limit."""

    kind: WindowKind
    limit: int
    seconds: int
    noun: str


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
        else:
            await _charge_read(request, account)
    return await handler(request)


async def _charge_bulk(request: web.Request, account: Account) -> None:
    """Charge the admission window, then refuse the request if too many jobs of the account have not ended.

    The window comes first, because counting the jobs is a query.
    """
    ctx = request.app[API].ctx
    policy = bulk_policy(account)
    if policy.limit:
        history = partial(uploads.recently_accepted, ctx.pool, account.id)
        take = partial(_take, ctx, account, policy, history)
        grant = await ctx.breaker.ask(take)
        _set_headers(request, policy, await _count(ctx, account) if grant is None else grant)
    unfinished = await uploads.unfinished(ctx.pool, account.id)
    if unfinished >= ctx.settings.max_unfinished_jobs:
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
        grant = await ctx.breaker.ask(partial(_take, ctx, account, policy, None))
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
    """Count the accepted jobs in PostgreSQL, while Redis does not respond.

    No lock is held: simultaneous requests can exceed the limit meanwhile.
    """
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


def bulk_policy(account: Account) -> Policy:
    """Return the policy of the account's admission window."""
    return Policy(
        kind="requests", limit=account.request_limit, seconds=account.window_seconds, noun="bulk requests"
    )


def read_policy(settings: Settings) -> Policy:
    """Return the policy of all requests that are not bulk requests."""
    return Policy(kind="reads", limit=settings.read_limit, seconds=READ_SECONDS, noun="requests")


def headers_of(policy: Policy, grant: Grant) -> dict[str, str]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers and the older X- form; times in seconds."""
    reset = min(math.ceil(grant.reset_seconds), policy.seconds)  # not 61 for a millisecond over 60
    return {
        "RateLimit-Policy": f'"{policy.kind}";q={policy.limit};w={policy.seconds}',
        "RateLimit": f'"{policy.kind}";r={grant.remaining};t={reset}',
        "X-RateLimit-Limit": str(policy.limit),
        "X-RateLimit-Remaining": str(grant.remaining),
        "X-RateLimit-Reset": str(reset),
    }


def refusal(policy: Policy, grant: Grant) -> RateLimited:
    """Return the error for a request that was not granted."""
    seconds = max(math.ceil(grant.wait_seconds), 1)
    return RateLimited(
        f"more than {policy.limit} {policy.noun} in {policy.seconds} seconds: retry after {seconds} s",
        retry_after=seconds,
    )
