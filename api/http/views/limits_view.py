"""The limits of an account: how much of each window is used, and when its queue will be done."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from schemas.settings import Settings
from schemas.wire.account_limits import JobsUse, LimitsView, QueueUse, StreamQueue, WindowUse
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline import turns
from storage.pipeline.turns import Backlog
from storage.windows import admissions, grants

READ_SECONDS = 60  # READ_LIMIT is a number of requests a minute
MOST_STREAMS = 20  # in a view


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """At most `limit` requests of a kind in any `seconds`; 0: no limit."""

    kind: Literal["requests", "reads"]
    limit: int
    seconds: int
    noun: str


def bulk_policy(account: Account) -> Policy:
    """Return the policy of the account's admission window."""
    return Policy(
        kind="requests", limit=account.request_limit, seconds=account.window_seconds, noun="bulk requests"
    )


def read_policy(settings: Settings) -> Policy:
    """Return the policy of all requests that are not bulk requests."""
    return Policy(kind="reads", limit=settings.read_limit, seconds=READ_SECONDS, noun="requests")


async def read_limits(ctx: Context, account: Account) -> LimitsView:
    """Read the windows and the queue of an account. Nothing is charged."""
    items = await _items(ctx, account)
    backlog = await turns.backlog(ctx.pool, account.id)
    accepted = sum(stream.jobs for stream in backlog.streams)
    return LimitsView(
        requests=await _requests(ctx, account),
        items=items,
        reads=await _reads(ctx, account),
        unfinished_jobs=JobsUse(limit=ctx.settings.max_unfinished_jobs, used=accepted + backlog.receiving),
        queue=queue_use(backlog, items, datetime.now(UTC)),
        degraded=not ctx.breaker.closed,
    )


def queue_use(backlog: Backlog, items: WindowUse, now: datetime) -> QueueUse:
    """Return the queue of an account whose item window is used like this."""
    todo = sum(stream.items for stream in backlog.streams)
    pace = sum(stream.pace for stream in backlog.streams) or None
    seconds = _seconds_to_do(todo, pace, items, now)
    return QueueUse(
        jobs=sum(stream.jobs for stream in backlog.streams),
        items=todo,
        uncounted_jobs=sum(stream.uncounted for stream in backlog.streams),
        items_per_second=pace and round(pace, 1),
        estimated_end=None if seconds is None else now + timedelta(seconds=seconds),
        streams=[
            StreamQueue(
                stream=stream.stream,
                jobs=stream.jobs,
                items=stream.items,
                uncounted_jobs=stream.uncounted,
                throttled_until=stream.throttled_until,
            )
            for stream in backlog.streams[:MOST_STREAMS]
        ],
    )


def _seconds_to_do(todo: int, pace: float | None, items: WindowUse, now: datetime) -> float | None:
    """Estimate the time until so many items are applied: by their pace, within what the window allows.

    None: nothing is to do, or nothing is known.
    """
    by_pace = todo / pace if pace else 0.0
    return max(by_pace, _seconds_to_room(todo, items, now)) or None


def _seconds_to_room(todo: int, items: WindowUse, now: datetime) -> float:
    """Return the time until the window has allowed so many items: at most `limit` in each of its lengths."""
    if not items.limit or items.remaining is None:
        return 0.0
    excess = todo - items.remaining
    if excess <= 0:
        return 0.0
    if items.empty_at is not None and excess <= items.limit - items.remaining:
        return max((items.empty_at - now).total_seconds(), 0.0)  # as much is free again by then
    return items.window_seconds * max(excess / items.limit, 1.0)


async def _requests(ctx: Context, account: Account) -> WindowUse:
    policy = bulk_policy(account)
    if not policy.limit:
        return _unused(policy.limit, policy.seconds)
    admission = await admissions.admit(ctx.pool, account.id, charge=False)
    return _use(policy.limit, policy.seconds, admission.remaining, admission.reset_seconds)


async def _items(ctx: Context, account: Account) -> WindowUse:
    """Read the item window in Redis, or if Redis is away or has lost it, the grants in PostgreSQL."""
    limit, seconds = account.item_limit, account.window_seconds
    if not limit:
        return _unused(limit, seconds)
    stored = await grants.used(ctx.pool, account.id, seconds)
    seen = await ctx.window.look(
        kind="items",
        account_id=account.id,
        limit=limit,
        window_seconds=seconds,
        postgres_at=stored.postgres_at,
    )
    if seen is not None:
        return _use(limit, seconds, seen.remaining, seen.reset_seconds)
    return _use(limit, seconds, max(limit - stored.items, 0), stored.reset_seconds)


async def _reads(ctx: Context, account: Account) -> WindowUse:
    policy = read_policy(ctx.settings)
    seen = policy.limit and await ctx.window.look(
        kind="reads",
        account_id=account.id,
        limit=policy.limit,
        window_seconds=policy.seconds,
        postgres_at=None,
    )
    if not seen:
        return _unused(policy.limit, policy.seconds)
    return _use(policy.limit, policy.seconds, seen.remaining, seen.reset_seconds)


def _use(limit: int, seconds: int, remaining: int, reset_seconds: float) -> WindowUse:
    used = limit - remaining
    empty_at = datetime.now(UTC) + timedelta(seconds=min(reset_seconds, seconds)) if used else None
    return WindowUse(limit=limit, window_seconds=seconds, used=used, remaining=remaining, empty_at=empty_at)


def _unused(limit: int, seconds: int) -> WindowUse:
    return WindowUse(limit=limit, window_seconds=seconds, used=None, remaining=None, empty_at=None)
