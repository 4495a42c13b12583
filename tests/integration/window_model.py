"""A model of the window: an account with two clocks, and an oracle that applies the rules by brute force."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from redis.asyncio import Redis

from storage.breaker import Breaker
from storage.windows.window import EPOCH, MICROSECOND, Grant, PastGrant, Window

START = 1_700_000_000_000_000  # microseconds; a realistic value, so that a lost digit is visible
SECOND = 1_000_000
ITEMS_LOG = "bulklane:window:{42}:items"


class Account:
    """Account 42: its window, two clocks that the test sets, and its grants as PostgreSQL stores them."""

    def __init__(self, redis: Redis, *, real_time: bool = False) -> None:
        self.redis_clock = self.postgres_clock = START
        self.granted: list[PastGrant] = []
        self.asked = 0  # calls of `history`
        self._real_time = real_time
        self.window = Window(
            redis, Breaker(redis.ping), clock=None if real_time else lambda: self.redis_clock
        )

    def pass_time(self, microseconds: int) -> None:
        """Advance both clocks."""
        self.redis_clock += microseconds
        self.postgres_clock += microseconds

    async def take(self, want: int, minimum: int = 1, *, limit: int = 10, seconds: int = 1) -> Grant:
        postgres_at = datetime.now(UTC) if self._real_time else moment(self.postgres_clock)
        ask = partial(self.window.take, kind="items", account_id=42, history=self.history)
        grant = await ask(
            limit=limit, window_seconds=seconds, want=want, minimum=minimum, postgres_at=postgres_at
        )
        assert grant is not None
        if grant.granted:
            self.granted.append(
                PastGrant(at=grant.at, amount=grant.granted, redis_at=grant.redis_at, postgres_at=postgres_at)
            )
        return grant

    async def history(self) -> Sequence[PastGrant]:
        self.asked += 1
        return self.granted


class Oracle:
    """The rules of the window, applied to a list of all grants."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.granted: list[tuple[int, int]] = []
        self.base: tuple[int, int, int] | None = None  # the window's time, at a reading of each clock
        self.newest: tuple[int, int, int] | None = None  # the base of the newest grant

    def used(self, now: int) -> int:
        return sum(n for at, n in self.granted if at >= now - self.window)

    def tick(self, redis: int, postgres: int) -> int:
        """Return the window's time; take a new base after a second or a step."""
        if self.base is None:
            self.base = (postgres, redis, postgres)
        advances = (redis - self.base[1], postgres - self.base[2])
        passed = min([advance for advance in advances if advance >= 0], default=0)
        now = self.base[0] + passed
        if passed >= SECOND or min(advances) < 0 or abs(advances[0] - advances[1]) >= SECOND // 10:
            self.base = (now, redis, postgres)
        return now

    def decide(self, redis: int, postgres: int, *, limit: int, want: int, minimum: int) -> Grant:
        now = self.tick(redis, postgres)
        available = max(0, limit - self.used(now))
        refused = available < min(minimum, limit)
        granted = 0 if refused else min(want, available)
        if granted:
            self.granted.append((now, granted))
            self.base = self.newest = (now, redis, postgres)
        ends = sorted(at + self.window + 1 for at, _ in self.granted if at >= now - self.window)
        enough = (end for end in ends if limit - self.used(end) >= min(minimum, limit))
        return Grant(
            granted=granted,
            at=moment(now),
            redis_at=moment(redis),
            wait_seconds=rounded_up(next(enough) - now) if refused else 0,
            remaining=available - granted,
            reset_seconds=rounded_up(ends[-1] - now) if ends else 0,
        )


def moment(at: int) -> datetime:
    return EPOCH + at * MICROSECOND


def in_microseconds(grant: PastGrant) -> tuple[int, int]:
    """Return the window's time of a grant, and its amount."""
    return (grant.at - EPOCH) // MICROSECOND, grant.amount


def past(at: int, amount: int) -> PastGrant:
    """Return a grant at a time by all clocks."""
    return PastGrant(at=moment(at), amount=amount, redis_at=moment(at), postgres_at=moment(at))


def rounded_up(microseconds: int) -> float:
    return math.ceil(microseconds / 1000) / 1000


def fullest_span(granted: Sequence[tuple[int, int]], window: int) -> int:
    """Return the most that any closed span of `window` holds. A fullest span ends with a grant."""
    return max(sum(n for at, n in granted if end - window <= at <= end) for end, _ in granted)


def random_step(rng: random.Random, window: int, wait: float) -> int:
    """Return a random clock step in microseconds: mostly small, often to an edge, sometimes far."""
    little = rng.choice([0, 0, 1, 999, rng.randrange(window // 4)])
    edge = rng.choice([window, window + 1, round(wait * SECOND), round(wait * SECOND) - 1000])
    back = -rng.choice([1, rng.randrange(window), window, window + 1, 50 * window])
    return rng.choices([little, edge, back, 3 * window], [70, 24, 5, 1])[0]


async def forget(rng: random.Random, redis: Redis, log: str) -> None:
    """Lose the state of the window in a random way."""
    match rng.randrange(4):
        case 0:
            await redis.flushall()
        case 1:
            await redis.delete(log)
        case 2:
            await redis.delete(f"{log}:state")
        case _:
            response = redis.hset(f"{log}:state", "run", "the run before the restart")
            assert not isinstance(response, int)  # redis-py's type includes that of its synchronous client
            await response
    await redis.script_flush()
