"""Admit a bulk request: the account's admission window, and its number of unfinished jobs."""

import asyncio
import logging
import math
from datetime import UTC, datetime, timedelta

from aiohttp import web
from redis.exceptions import RedisError

from api.request_keys import LIMITS
from schemas.errors import RateLimited
from storage import jobs
from storage.accounts import Account
from storage.context import Context
from storage.window import Grant

logger = logging.getLogger(__name__)


WINDOW_SECONDS = 1.0  # a Redis that hangs must not hold a request up; PostgreSQL counts then


async def admit(request: web.Request, ctx: Context, account: Account) -> None:
    """Charge one request to the account; leaves the headers of the answer on it; raises RateLimited."""
    unfinished = await jobs.unfinished(ctx.pool, account.id)
    if unfinished >= ctx.settings.max_unfinished_jobs:
        raise RateLimited(
            f"{unfinished} jobs of this account have not ended yet: send more when some have",
            code="too_many_jobs",
            retry_after=5,
        )
    if not account.request_limit:
        return
    grant = await _take(ctx, account)
    request[LIMITS] = _headers(account, grant)
    if not grant.granted:
        seconds = math.ceil(grant.wait_seconds)
        raise RateLimited(
            f"more than {account.request_limit} bulk requests in {account.window_seconds} seconds: "
            f"send this one again in {seconds} s",
            retry_after=max(seconds, 1),
        )


async def _take(ctx: Context, account: Account) -> Grant:
    async def history(since: datetime) -> list[tuple[datetime, int]]:
        return await jobs.recently_accepted(ctx.pool, account.id, since)

    try:
        async with asyncio.timeout(WINDOW_SECONDS):
            return await ctx.window.take(
                kind="requests",
                account_id=account.id,
                limit=account.request_limit,
                window_seconds=account.window_seconds,
                want=1,
                history=history,
            )
    except (RedisError, OSError, TimeoutError) as error:
        logger.warning("the window is away, PostgreSQL counts: %s: %s", type(error).__name__, error)
        return await _count(ctx, account)


async def _count(ctx: Context, account: Account) -> Grant:
    """The same answer from the accepted jobs alone, while Redis is away."""
    window = timedelta(seconds=account.window_seconds)
    now = datetime.now(UTC)
    accepted = await jobs.recently_accepted(ctx.pool, account.id, now - window)
    remaining = account.request_limit - len(accepted)
    wait = (accepted[-account.request_limit][0] + window - now).total_seconds() if remaining <= 0 else 0.0
    return Grant(
        granted=int(remaining > 0),
        at=now,
        wait_seconds=wait,
        remaining=max(remaining - 1, 0),
        reset_seconds=(accepted[-1][0] + window - now).total_seconds() if accepted else 0,
    )


def _headers(account: Account, grant: Grant) -> dict[str, str]:
    reset = min(math.ceil(grant.reset_seconds), account.window_seconds)  # not 61 for a millisecond over 60
    return {
        "RateLimit-Policy": f'"requests";q={account.request_limit};w={account.window_seconds}',
        "RateLimit": f'"requests";r={grant.remaining};t={reset}',
        "X-RateLimit-Limit": str(account.request_limit),
        "X-RateLimit-Remaining": str(grant.remaining),
        "X-RateLimit-Reset": str(reset),
    }
