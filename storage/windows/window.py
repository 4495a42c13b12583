"""The sliding window: limits what an account may do within any span of `window_seconds`, exactly."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from importlib.resources import files
from itertools import accumulate
from typing import Any, Literal, get_args

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from storage.batched import Batched
from storage.breaker import Breaker

WindowKind = Literal["items", "reads"]

COLD = [0]  # the reply of a script that needs the history
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastGrant:
    """A grant as PostgreSQL stores it.

    `at` is the window's own time. The others are what the clocks of Redis and of PostgreSQL showed then.
    """

    at: datetime
    amount: int
    redis_at: datetime
    postgres_at: datetime


History = Callable[[], Awaitable[Sequence[PastGrant]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The result of a call to the window.

    `granted` is 0 if the call was refused. `wait_seconds` is then the time until the same call can succeed,
    unless another call uses the capacity first. `at` is the window's own time (UTC, microseconds), which
    never goes back; `redis_at` is what the server's clock shows. `remaining` is the capacity left now;
    `reset_seconds` is the time until no grant counts any more. Both times are rounded up to a millisecond.
    """

    granted: int
    at: datetime
    redis_at: datetime
    wait_seconds: float
    remaining: int
    reset_seconds: float


class Window:
    """An exact, weighted sliding-window log per account and kind, stored in Redis 6.2+ or Valkey.

    Rules:

    - No closed span of `window_seconds` ever holds more than `limit`: a grant counts until it is older
      than the window, to the microsecond.
    - A refused call is not charged.
    - `limit` and the window's length are arguments of each call. After the limit is lowered, nothing is
      granted until enough grants have expired. A change of the length makes the log cold.
    - A log is cold if it is new, flushed, expired, or older than a restart or failover of the server. A cold
      log is loaded from the grants that `history` returns; PostgreSQL stores them. If several callers load
      a cold log, the first one wins and the others' grants are ignored.
    - Time is measured by two clocks: that of Redis, and that of PostgreSQL, which the caller reads. The
      smaller advance since the last grant counts. A clock that steps forward ages no grant; a clock that went
      back is left out, and time goes on with the other. A step that leaves a clock after the last grant,
      but behind the other clock, delays by at most one window. Without PostgreSQL's clock, a step of Redis'
      clock forward counts as elapsed time.

    A flush loses the grants that `history` cannot see. To lose none, store each grant as a PastGrant, and
    hold one lock per account from before `take` until the commit of the grant.
    If the connection breaks during `take`, the call may have been charged: the limit still holds.

    `clock` (returns microseconds since 1970) replaces the server's clock in tests.
    """

    def __init__(self, redis: Redis, breaker: Breaker, *, clock: Callable[[], int] | None = None) -> None:
        self._source = files("storage.windows").joinpath("window.lua").read_bytes()
        self._sha = sha1(self._source, usedforsecurity=False).hexdigest()  # as Redis names scripts
        self._redis = redis
        self._calls = Batched(self._call_all)
        self._breaker = breaker
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
        parts: Sequence[int] = (),
        postgres_at: datetime | None,
        history: History | None,
    ) -> Grant | None:
        """Grant `want`, or as much of it as is available, but nothing if that is less than `minimum`.

        `parts` are amounts whose sum is `want`, and of which only the first one may be granted in part: the
        grant is the sum of the first few that are available. Calls for several accounts at the same moment
        share a round trip. Returns None while Redis does not respond.
        A `minimum` above the limit counts as the limit, because it could never be granted. `postgres_at` is
        the current reading of PostgreSQL's clock. `history()` returns the newest grant and those of the
        window before it, in any order. It is called only if the window is cold; without it, a cold window
        starts empty. Raises ValueError unless 1 <= minimum <= want, or the first of the parts, and limit and
        window_seconds are at least 1. A caller without a limit must not call this.
        """
        parts = parts or [want]
        if sum(parts) != want or not 1 <= minimum <= parts[0]:
            raise ValueError(f"minimum must be from 1 to {parts[0]}, not {minimum}; parts: a sum of {want}")
        if limit < 1 or window_seconds < 1:
            raise ValueError(f"limit ({limit}) and window_seconds ({window_seconds}) must be at least 1")
        readings = self._readings(postgres_at)
        sums = ",".join(map(str, accumulate(parts)))
        arguments = [limit, window_seconds * 1000, sums, minimum, *readings]
        return await self._run(_keys(kind, account_id), arguments, history)

    async def look(
        self,
        *,
        kind: WindowKind,
        account_id: int,
        limit: int,
        window_seconds: int,
        postgres_at: datetime | None,
    ) -> Grant | None:
        """Return the state of the window as a grant of 0. Nothing is charged or written.

        The arguments are those of `take`. Returns None while Redis does not respond, and for a cold window.
        """
        arguments = [limit, window_seconds * 1000, "", 1, *self._readings(postgres_at), 0]
        reply = await self._call(_keys(kind, account_id), arguments)
        return None if reply is None or reply == COLD else _grant(reply)

    async def forget(self, account_id: int) -> None:
        """Delete the windows of an account, unless Redis does not respond: they expire by themselves, too."""
        keys = [key for kind in get_args(WindowKind) for key in _keys(kind, account_id)]
        await self._breaker.ask(lambda: self._redis.delete(*keys))

    def _readings(self, postgres_at: datetime | None) -> tuple[int | str, int | str]:
        """Return the readings of the clocks of Redis and of PostgreSQL, as the script takes them."""
        return (
            "" if self._clock is None else self._clock(),
            "" if postgres_at is None else _microseconds(postgres_at),
        )

    async def _run(self, keys: list[str], arguments: list[Any], history: History | None) -> Grant | None:
        reply = await self._call(keys, [*arguments, int(history is None)])
        if reply == COLD and history is not None:
            reply = await self._call(keys, [*arguments, 1, *_fields(await history())])
        return None if reply is None else _grant(reply)

    async def _call(self, keys: list[str], arguments: list[Any]) -> list[int] | None:
        return await self._calls.ask([*keys, *arguments])

    async def _call_all(self, calls: Sequence[list[Any]]) -> Sequence[list[int] | None]:
        """Run the script for several accounts. All replies are None while Redis does not respond."""
        replies = await self._breaker.ask(lambda: self._send(calls), "window", "take")
        return [None] * len(calls) if replies is None else replies

    async def _send(self, calls: Sequence[list[Any]]) -> list[list[int]]:
        """Send the calls together, and those again that found no script: the server has been restarted."""
        replies = await self._execute(calls)
        unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            await self._redis.script_load(self._source)
            again = await self._execute([calls[place] for place in unknown])
            for place, reply in zip(unknown, again, strict=True):
                replies[place] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _execute(self, calls: Sequence[list[Any]]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for call in calls:
            pipeline.evalsha(self._sha, 2, *call)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies


def _keys(kind: WindowKind, account_id: int) -> list[str]:
    """Return the keys of the log and of the state. The braces put both on one node of a cluster."""
    log = f"bulklane:window:{{{account_id}}}:{kind}"
    return [log, f"{log}:state"]


def _grant(reply: Sequence[int]) -> Grant:
    _, granted, at, wait, remaining, reset, redis_at = reply
    return Grant(
        granted=granted,
        at=_moment(at),
        redis_at=_moment(redis_at),
        wait_seconds=wait / 1000,
        remaining=remaining,
        reset_seconds=reset / 1000,
    )


def _fields(grants: Sequence[PastGrant]) -> Iterator[int]:
    """Yield the grants as arguments of the script: the readings of the newest, then all, oldest first."""
    ordered = sorted(grants, key=lambda grant: grant.at)
    for grant in ordered[-1:]:
        yield from (_microseconds(grant.redis_at), _microseconds(grant.postgres_at))
    for grant in ordered:
        yield from (_microseconds(grant.at), grant.amount)


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _moment(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND
