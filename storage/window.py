"""The sliding window: limits what an account may do within any span of `window_seconds`, exactly."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Literal

from redis.asyncio import Redis

WindowKind = Literal["items", "requests", "reads"]
History = Callable[[datetime], Awaitable[Sequence[tuple[datetime, int]]]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The result of a call to the window.

    `granted` is 0 if the call was refused. `wait_seconds` is then the time until the same call can succeed,
    unless another call uses the capacity first. `at` is the window's own time (UTC, microseconds): it follows
    the server's clock and never goes back. `remaining` is the capacity left now; `reset_seconds` is the time
    until no grant counts any more. Both times are rounded up to a millisecond.
    """

    granted: int
    at: datetime
    wait_seconds: float
    remaining: int
    reset_seconds: float


class Window:
    """An exact, weighted sliding-window log per account and kind, stored in Redis 6.2+ or Valkey.

    Rules:

    - No closed span of `window_seconds` ever holds more than `limit`: a grant counts until it is older
      than the window, to the microsecond.
    - A refused call and a `peek` are not charged.
    - `limit` and the window's length are arguments of each call. After the limit is lowered, nothing is
      granted until enough grants have expired. A change of the length makes the log cold.
    - A log is cold if it is new, flushed, expired, or older than a restart or failover of the server. A cold
      log is loaded from the grants that `history` returns; PostgreSQL stores them. If several callers load
      a cold log, the first one wins and the others' grants are ignored.
    - Time is the server's clock. If the clock steps back, the window's time stands still until the clock
      catches up, for one window at most. A step forward counts as elapsed time.

    A flush loses the grants that `history` cannot see. To lose none, store each grant under `Grant.at`, and
    hold one lock per account from before `take` until the commit of the grant.
    If the connection breaks during `take`, the call may have been charged: the limit still holds.

    `clock` (returns microseconds since 1970) replaces the server's clock in tests.
    """

    def __init__(self, redis: Redis, *, clock: Callable[[], int] | None = None) -> None:
        source = files("storage").joinpath("window.lua").read_bytes()
        self._script = redis.register_script(source)  # EVALSHA; redis-py loads it again after a restart
        self._clock = clock

    async def take(
        self,
        *,
        kind: WindowKind,
        account_id: int,
        limit: int,
        window_seconds: int,
        want: int,
        minimum: int = 1,
        history: History | None,
    ) -> Grant:
        """Grant `want`, or as much of it as is available, but nothing if that is less than `minimum`.

        A `minimum` above the limit counts as the limit, because it could never be granted. `history(since)`
        returns what was granted at `since` or later, as (`Grant.at`, amount of 1 or more), in any order. It
        is called only if the window is cold; without it, a cold window starts empty. Raises ValueError
        unless 1 <= minimum <= want and limit and window_seconds are at least 1. A caller without a limit
        must not call this.
        """
        if not 1 <= minimum <= want:
            raise ValueError(f"minimum must be from 1 to want ({want}), not {minimum}")
        keys = _keys(kind, account_id, limit, window_seconds)
        window = timedelta(seconds=window_seconds)
        return await self._run(keys, limit=limit, window=window, want=want, minimum=minimum, history=history)

    async def peek(
        self, *, kind: WindowKind, account_id: int, limit: int, window_seconds: int, history: History | None
    ) -> Grant:
        """Read the window without charging it.

        `granted` is 0; `wait_seconds` is the time until at least 1 is available.
        """
        keys = _keys(kind, account_id, limit, window_seconds)
        window = timedelta(seconds=window_seconds)
        return await self._run(keys, limit=limit, window=window, want=0, minimum=1, history=history)

    async def _run(
        self,
        keys: list[str],
        *,
        limit: int,
        window: timedelta,
        want: int,
        minimum: int,
        history: History | None,
    ) -> Grant:
        milliseconds = window // timedelta(milliseconds=1)
        clock = "" if self._clock is None else self._clock()
        arguments = (limit, milliseconds, want, minimum, clock)
        warm, *values = await self._script(keys, [*arguments, int(history is None)])
        if not warm and history is not None:
            grants = await history(_moment(values[0]) - window)
            _, *values = await self._script(keys, [*arguments, 1, *_recent(grants, window)])
        granted, at, wait, remaining, reset = values
        return Grant(
            granted=granted,
            at=_moment(at),
            wait_seconds=wait / 1000,
            remaining=remaining,
            reset_seconds=reset / 1000,
        )


def _keys(kind: WindowKind, account_id: int, limit: int, window_seconds: int) -> list[str]:
    """Return the keys of the log and of the state. The braces put both on one node of a cluster."""
    if limit < 1 or window_seconds < 1:
        raise ValueError(f"limit ({limit}) and window_seconds ({window_seconds}) must be at least 1")
    log = f"bulklane:window:{{{account_id}}}:{kind}"
    return [log, f"{log}:state"]


def _recent(grants: Iterable[tuple[datetime, int]], window: timedelta) -> Iterator[int]:
    """Yield the grants as arguments of the script, without those that cannot count any more.

    The window's time is never before its newest grant, so grants older than that by a window do not count.
    """
    ordered = sorted(grants)
    for at, amount in ordered:
        if at >= ordered[-1][0] - window:
            yield from ((at - EPOCH) // MICROSECOND, amount)


def _moment(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND
