"""The sliding window: how much an account may do within any span of `window_seconds`, exactly."""

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
    """What the window answered.

    `granted` is 0 when it refused; then `wait_seconds` says when asking again for the same will do,
    if nobody else takes it first. `at` is the window's own time, UTC, to the microsecond: it follows the
    server's clock and never goes back. `remaining` is what is left now, `reset_seconds` how long until
    nothing counts as used. Both waits are rounded up to a millisecond.
    """

    granted: int
    at: datetime
    wait_seconds: float
    remaining: int
    reset_seconds: float


class Window:
    """An exact, weighted sliding-window log for each account and kind, kept in Redis 6.2+ or Valkey.

    The rules:

    - No closed span of `window_seconds` ever holds more than `limit`: a grant counts until it is older
      than the window, to the microsecond.
    - A refused call is not charged, nor is one that only looks.
    - `limit` and the window's length are arguments of each call. A lowered limit grants nothing until
      enough has aged; another length than the last call's makes the log cold.
    - Cold (new, flushed, expired, or written before the server restarted or failed over): `history` is
      asked for the grants since a moment, PostgreSQL being where they are kept, and the log is made from
      them. Of several cold callers the first to come back with them wins; the others' are not used.
    - Time is the server's. When its clock steps back, the window's time stands still until the clock
      has caught up, for one window at most. A step forward looks like time that has passed.

    What `history` cannot see is forgotten with a flush. So keep grants under `Grant.at`, and hold one
    lock of the account from before `take` until they are committed: then no grant is in between.
    A connection that breaks during `take` may have charged it; this errs on the side of the limit.

    `clock` (microseconds since 1970) replaces the server's clock, which a test cannot step.
    """

    def __init__(self, redis: Redis, *, clock: Callable[[], int] | None = None) -> None:
        source = files("storage").joinpath("window.lua").read_bytes()
        self._script = redis.register_script(source)  # EVALSHA; loads itself again after a restart
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
        """Grant as much of `want` as there is, or nothing if that is less than `minimum`.

        A `minimum` over the limit counts as the limit, or it would wait for ever. `history(since)` answers
        what was granted at `since` or later, as (`Grant.at`, amount of 1 or more), in any order; it is
        called only when the window is cold; without it a cold window begins empty. Raises ValueError
        unless 1 <= minimum <= want, and limit and window_seconds are at least 1: 'no limit' is the caller's
        to skip.
        """
        if not 1 <= minimum <= want:
            raise ValueError(f"minimum must be from 1 to want ({want}), not {minimum}")
        keys = _keys(kind, account_id, limit, window_seconds)
        window = timedelta(seconds=window_seconds)
        return await self._ask(keys, limit=limit, window=window, want=want, minimum=minimum, history=history)

    async def peek(
        self, *, kind: WindowKind, account_id: int, limit: int, window_seconds: int, history: History | None
    ) -> Grant:
        """Look without charging: `granted` is 0, and `wait_seconds` lasts until there is at least 1."""
        keys = _keys(kind, account_id, limit, window_seconds)
        window = timedelta(seconds=window_seconds)
        return await self._ask(keys, limit=limit, window=window, want=0, minimum=1, history=history)

    async def _ask(
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
        question = (limit, milliseconds, want, minimum, clock)
        warm, *answer = await self._script(keys, [*question, int(history is None)])
        if not warm and history is not None:
            grants = await history(_moment(answer[0]) - window)
            _, *answer = await self._script(keys, [*question, 1, *_recent(grants, window)])
        granted, at, wait, remaining, reset = answer
        return Grant(
            granted=granted,
            at=_moment(at),
            wait_seconds=wait / 1000,
            remaining=remaining,
            reset_seconds=reset / 1000,
        )


def _keys(kind: WindowKind, account_id: int, limit: int, window_seconds: int) -> list[str]:
    """The log's and the state's key; the braces put both on one node of a cluster."""
    if limit < 1 or window_seconds < 1:
        raise ValueError(f"limit ({limit}) and window_seconds ({window_seconds}) must be at least 1")
    log = f"bulklane:window:{{{account_id}}}:{kind}"
    return [log, f"{log}:state"]


def _recent(grants: Iterable[tuple[datetime, int]], window: timedelta) -> Iterator[int]:
    """The grants as the script takes them, without those that can no longer count.

    The window's time is never before its newest grant, so what is a window older than that is out.
    """
    ordered = sorted(grants)
    for at, amount in ordered:
        if at >= ordered[-1][0] - window:
            yield from ((at - EPOCH) // MICROSECOND, amount)


def _moment(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND
