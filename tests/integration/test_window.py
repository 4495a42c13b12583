"""Compare the window with a brute-force oracle; test concurrent clients, lost state and clock steps."""

import asyncio
import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest
from redis.asyncio import Redis

from storage.window import EPOCH, MICROSECOND, Grant, Window

START = 1_700_000_000_000_000  # microseconds; a realistic value, so that a lost digit is visible
SECOND = 1_000_000
ITEMS_LOG = "bulklane:window:{42}:items"


class Account:
    """Account 42: its window, a clock that the test sets, and its grants as PostgreSQL stores them."""

    def __init__(self, redis: Redis, *, real_time: bool = False) -> None:
        self.clock = START
        self.granted: list[tuple[int, int]] = []
        self.asked: list[datetime] = []
        self.window = Window(redis, clock=None if real_time else lambda: self.clock)

    async def take(self, want: int, minimum: int = 1, *, limit: int = 10, seconds: int = 1) -> Grant:
        ask = partial(self.window.take, kind="items", account_id=42, history=self.history)
        grant = await ask(limit=limit, window_seconds=seconds, want=want, minimum=minimum)
        if grant.granted:
            self.granted.append(((grant.at - EPOCH) // MICROSECOND, grant.granted))
        return grant

    async def peek(self, *, limit: int = 10, seconds: int = 1) -> Grant:
        ask = partial(self.window.peek, kind="items", account_id=42, history=self.history)
        return await ask(limit=limit, window_seconds=seconds)

    async def history(self, since: datetime) -> Sequence[tuple[datetime, int]]:
        self.asked.append(since)
        return [(moment(at), n) for at, n in self.granted if moment(at) >= since]


class Oracle:
    """The rules of the window, applied to a list of all grants."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.granted: list[tuple[int, int]] = []
        self.skew = 0

    def used(self, now: int) -> int:
        return sum(n for at, n in self.granted if at >= now - self.window)

    def decide(self, clock: int, *, limit: int, want: int, minimum: int) -> Grant:
        newest = max((at for at, _ in self.granted), default=0)
        if newest - (clock + self.skew) > self.window:
            self.skew = newest - clock
        ticked = clock + self.skew
        now = max(ticked, newest)
        available = max(0, limit - self.used(now))
        refused = available < min(minimum, limit)
        granted = 0 if refused else min(want, available)
        if granted:
            self.granted.append((now, granted))
        ends = sorted(at + self.window + 1 for at, _ in self.granted if at >= now - self.window)
        enough = (end for end in ends if limit - self.used(end) >= min(minimum, limit))
        return Grant(
            granted=granted,
            at=moment(now),
            wait_seconds=rounded_up(next(enough) - ticked) if refused else 0,
            remaining=available - granted,
            reset_seconds=rounded_up(ends[-1] - ticked) if ends else 0,
        )


def moment(at: int) -> datetime:
    return EPOCH + at * MICROSECOND


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


@pytest.mark.parametrize("seed", range(10))
async def test_window_agrees_with_a_brute_force_oracle(redis: Redis, seed: int) -> None:
    rng = random.Random(seed)
    seconds, most = rng.choice([1, 2, 10]), rng.choice([1, 3, 20, 1000])
    account, oracle = Account(redis), Oracle(seconds * SECOND)
    limits: list[int] = []  # the limit under which each grant was made
    wait, cold = 0.0, True
    for _ in range(1500):
        account.clock += random_step(rng, seconds * SECOND, wait)
        limit = most if rng.random() < 0.9 else rng.randint(1, most)
        want = rng.randint(1, most // rng.choice([1, 4, 10]) + 2)
        minimum = rng.randint(1, want)
        asked = len(account.asked)
        if rng.random() < 0.1:
            want, minimum = 0, 1
            grant = await account.peek(limit=limit, seconds=seconds)
        else:
            grant = await account.take(want, minimum, limit=limit, seconds=seconds)
        assert grant == oracle.decide(account.clock, limit=limit, want=want, minimum=minimum)
        assert len(account.asked) == asked + cold
        limits.extend([limit] * (len(oracle.granted) - len(limits)))
        wait = grant.wait_seconds
        if cold := rng.random() < 0.01:
            await forget(rng, redis, ITEMS_LOG)
            oracle.skew = 0
    assert len(limits) > 200
    times = [at for at, _ in oracle.granted]
    assert times == sorted(times)
    for i, limit in enumerate(limits):  # with one limit for all, this holds for every closed span
        assert sum(n for at, n in oracle.granted[: i + 1] if at >= times[i] - seconds * SECOND) <= limit


async def test_four_clients_use_all_of_the_limit_and_never_more(redis: Redis) -> None:
    accounts = [Account(redis, real_time=True) for _ in range(4)]  # each with its own connection of the pool

    async def spend(account: Account, rng: random.Random) -> None:
        while sum(n for each in accounts for _, n in each.granted) < 2 * 500:
            grant = await account.take(rng.randint(1, 5), limit=500)
            await asyncio.sleep(grant.wait_seconds)

    await asyncio.gather(*(spend(account, random.Random(i)) for i, account in enumerate(accounts)))
    granted = sorted(grant for account in accounts for grant in account.granted)
    assert all(account.granted for account in accounts)
    assert sum(n for at, n in granted if at <= granted[0][0] + SECOND) == 500
    assert fullest_span(granted, SECOND) == 500


async def test_two_cold_callers_load_the_history_once(redis: Redis) -> None:
    account, both = Account(redis), asyncio.Barrier(2)
    account.granted = [(START - 1, 60)]

    async def history(since: datetime) -> Sequence[tuple[datetime, int]]:
        await both.wait()  # both ask before either has loaded
        return [(moment(START - 1), 60)]

    call = partial(account.window.take, kind="items", account_id=42, window_seconds=1, history=history)
    grants = await asyncio.gather(call(limit=100, want=15), call(limit=100, want=15))
    assert sorted((grant.granted, grant.remaining) for grant in grants) == [(15, 10), (15, 25)]


async def test_history_is_read_for_one_window_and_only_when_cold(redis: Redis) -> None:
    account = Account(redis)
    for seconds in (10, 10, 20, 20, 10):
        await account.take(1, seconds=seconds)
    assert account.asked == [moment(START - seconds * SECOND) for seconds in (10, 20, 10)]


async def test_history_may_be_long_and_in_any_order(redis: Redis) -> None:
    account = Account(redis)
    account.granted = [(START - 7919 * n % SECOND, 1) for n in range(100_000)]
    grant = await account.take(5, limit=100_001)
    assert (grant.granted, grant.remaining) == (1, 0)


async def test_log_keeps_the_grants_of_one_window_and_the_baseline(redis: Redis) -> None:
    account = Account(redis)
    for step in range(2000):
        account.clock += 1000 if step < 1000 else 10_000
        await account.take(10**6, limit=10**9)
        counting = sum(at >= account.clock - SECOND for at, _ in account.granted)
        assert await redis.zcard(ITEMS_LOG) == counting + 1
    assert counting == 101


async def test_state_expires_after_two_windows_and_at_least_a_minute(redis: Redis) -> None:
    for seconds, expected in [(1, 60), (3600, 7200)]:
        await redis.flushall()
        await Account(redis).take(1, seconds=seconds)
        ttls = [await redis.ttl(key) for key in await redis.keys("bulklane:window:{42}:items*")]
        assert len(ttls) == await redis.dbsize() == 2
        assert all(expected - 5 < ttl <= expected for ttl in ttls)


async def test_refused_call_is_not_charged(redis: Redis) -> None:
    account = Account(redis)
    assert (await account.take(8)).remaining == 2
    for _ in range(5):
        refused = await account.take(5, 3)
        assert (refused.granted, refused.remaining) == (0, 2)
    assert (await account.take(5)).granted == 2


async def test_peek_charges_nothing_and_returns_when_there_is_room(redis: Redis) -> None:
    account = Account(redis)
    empty = Grant(granted=0, at=moment(START), wait_seconds=0, remaining=10, reset_seconds=0)
    assert await account.peek() == await account.peek() == empty
    await account.take(10)
    account.clock += 400_000
    full = await account.peek()
    assert (full.remaining, full.wait_seconds, full.reset_seconds) == (0, 0.601, 0.601)


async def test_take_succeeds_after_the_returned_wait_and_not_a_millisecond_earlier(redis: Redis) -> None:
    account = Account(redis)
    for _ in range(5):
        await account.take(2)
        account.clock += 100_000
    wait = (await account.take(9, 5)).wait_seconds
    assert wait == 0.701  # the third grant, 300 ms ago, is older than a second 1 microsecond after that
    account.clock += round(wait * SECOND) - 1000
    assert (await account.take(9, 5)).granted == 0
    account.clock += 1000
    assert (await account.take(9, 5)).granted == 6


async def test_minimum_over_the_limit_waits_for_the_limit(redis: Redis) -> None:
    account = Account(redis)
    await account.take(1)
    refused = await account.take(50, 50)
    assert (refused.granted, refused.wait_seconds) == (0, 1.001)
    account.clock += SECOND + 1
    assert (await account.take(50, 50)).granted == 10


async def test_lowered_limit_grants_nothing_until_enough_has_aged(redis: Redis) -> None:
    account = Account(redis)
    await account.take(10)
    refused = await account.take(1, limit=3)
    assert (refused.granted, refused.remaining, refused.wait_seconds) == (0, 0, 1.001)
    assert (await account.take(9, limit=12)).granted == 2


@pytest.mark.parametrize(("back", "wait"), [(3, 13.001), (10, 20.001), (11, 10.001), (86_400, 10.001)])
async def test_a_clock_set_back_delays_by_at_most_two_windows(redis: Redis, back: int, wait: float) -> None:
    account = Account(redis)
    before = await account.take(10, seconds=10)
    account.clock -= back * SECOND
    refused = await account.take(10, seconds=10)
    assert (refused.granted, refused.at, refused.wait_seconds) == (0, before.at, wait)
    account.clock += round(wait * SECOND)
    after = await account.take(10, seconds=10)
    assert after.granted == 10
    assert after.at - before.at > timedelta(seconds=10)


@pytest.mark.parametrize(
    ("want", "minimum", "limit", "seconds"),
    [(0, 1, 1, 1), (1, 0, 1, 1), (1, 2, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)],
)
async def test_invalid_arguments_are_refused(
    redis: Redis, want: int, minimum: int, limit: int, seconds: int
) -> None:
    with pytest.raises(ValueError, match="must be"):
        await Account(redis).take(want, minimum, limit=limit, seconds=seconds)


async def test_each_account_and_kind_has_its_own_window(redis: Redis) -> None:
    account = Account(redis)
    ask = partial(account.window.take, limit=5, window_seconds=60, want=5, history=account.history)
    for account_id in (1, 2):
        assert (await ask(kind="items", account_id=account_id)).granted == 5
        assert (await ask(kind="requests", account_id=account_id)).granted == 5
