"""Compare the window with a brute-force oracle; test concurrent clients and lost state."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import combinations
from time import monotonic

import pytest
from redis.asyncio import Redis

from storage import breaker
from storage.windows.window import PastGrant, WindowKind
from tests.integration.window_model import (
    ITEMS_LOG,
    SECOND,
    START,
    Account,
    Oracle,
    forget,
    fullest_span,
    in_microseconds,
    moment,
    past,
    random_step,
)


@pytest.mark.parametrize("seed", range(10))
async def test_window_agrees_with_a_brute_force_oracle(redis: Redis, seed: int) -> None:
    rng = random.Random(seed)
    seconds, most = rng.choice([1, 2, 10]), rng.choice([1, 3, 20, 1000])
    account, oracle = Account(redis), Oracle(seconds * SECOND)
    limits: list[int] = []  # the limit under which each grant was made
    wait, cold = 0.0, True
    for _ in range(1500):
        account.pass_time(random_step(rng, seconds * SECOND, wait))
        account.redis_clock += rng.choice([0, 0, 0, rng.randrange(-2000, 2000)])  # read at another moment
        if rng.random() < 0.02:
            account.redis_clock += random_step(rng, seconds * SECOND, wait)
        limit = most if rng.random() < 0.9 else rng.randint(1, most)
        want = rng.randint(1, most // rng.choice([1, 4, 10]) + 2)
        minimum = rng.randint(1, want)
        asked = account.asked
        grant = await account.take(want, minimum, limit=limit, seconds=seconds)
        clocks = account.redis_clock, account.postgres_clock
        assert grant == oracle.decide(*clocks, limit=limit, want=want, minimum=minimum)
        assert account.asked == asked + cold
        limits.extend([limit] * (len(oracle.granted) - len(limits)))
        wait = grant.wait_seconds
        if cold := rng.random() < 0.01:
            await forget(rng, redis, ITEMS_LOG)
            oracle.base = oracle.newest
    assert len(limits) > 200
    times = [at for at, _ in oracle.granted]
    assert times == sorted(times)
    for i, limit in enumerate(limits):  # with one limit for all, this holds for every closed span
        assert sum(n for at, n in oracle.granted[: i + 1] if at >= times[i] - seconds * SECOND) <= limit


async def test_four_clients_use_all_of_the_limit_and_never_more(redis: Redis) -> None:
    accounts = [Account(redis, real_time=True) for _ in range(4)]  # each with its own connection of the pool
    real: list[tuple[datetime, float, float]] = []  # of each grant: its time, the real time before and after

    async def spend(account: Account, rng: random.Random) -> None:
        while sum(grant.amount for each in accounts for grant in each.granted) < 2 * 500:
            before = monotonic()
            grant = await account.take(rng.randint(1, 5), limit=500)
            if grant.granted:
                real.append((grant.at, before, monotonic()))
            await asyncio.sleep(grant.wait_seconds)

    await asyncio.gather(*(spend(account, random.Random(i)) for i, account in enumerate(accounts)))
    granted = sorted(in_microseconds(grant) for account in accounts for grant in account.granted)
    for (at, before, _), (later, _, after) in combinations(sorted(real), 2):
        assert (later - at).total_seconds() <= after - before + 0.000_001  # the window's time is not too fast
    assert all(account.granted for account in accounts)
    assert sum(n for at, n in granted if at <= granted[0][0] + SECOND) == 500
    assert fullest_span(granted, SECOND) == 500


async def test_two_cold_callers_load_the_history_once(redis: Redis) -> None:
    account, both = Account(redis), asyncio.Barrier(2)

    async def history() -> Sequence[PastGrant]:
        await both.wait()  # both ask before either has loaded
        return [past(START - 1, 60)]

    call = partial(
        account.window.take,
        kind="items",
        account_id=42,
        window_seconds=1,
        postgres_at=moment(START),
        history=history,
    )
    grants = await asyncio.gather(call(limit=100, want=15), call(limit=100, want=15))
    assert sorted((grant.granted, grant.remaining) for grant in grants if grant) == [(15, 10), (15, 25)]


async def test_history_is_read_only_when_cold(redis: Redis) -> None:
    account, asked = Account(redis), []
    for seconds in (10, 10, 20, 20, 10):
        await account.take(1, seconds=seconds)
        asked.append(account.asked)
    assert asked == [1, 1, 2, 2, 3]


async def test_history_may_be_long_and_in_any_order(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "CALL_SECONDS", 30)
    account = Account(redis)
    account.granted = [past(START - 7919 * n % SECOND, 1) for n in range(100_000)]
    grant = await account.take(5, limit=100_001)
    assert (grant.granted, grant.remaining) == (1, 0)


async def test_log_keeps_the_grants_of_one_window_and_the_baseline(redis: Redis) -> None:
    account = Account(redis)
    for step in range(2000):
        account.pass_time(1000 if step < 1000 else 10_000)
        await account.take(10**6, limit=10**9)
        counting = sum(grant.at >= moment(account.redis_clock - SECOND) for grant in account.granted)
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


async def test_take_succeeds_after_the_returned_wait_and_not_a_millisecond_earlier(redis: Redis) -> None:
    account = Account(redis)
    for _ in range(5):
        await account.take(2)
        account.pass_time(100_000)
    wait = (await account.take(9, 5)).wait_seconds
    assert wait == 0.701  # the third grant, 300 ms ago, is older than a second 1 microsecond after that
    account.pass_time(round(wait * SECOND) - 1000)
    assert (await account.take(9, 5)).granted == 0
    account.pass_time(1000)
    assert (await account.take(9, 5)).granted == 6


async def test_minimum_over_the_limit_waits_for_the_limit(redis: Redis) -> None:
    account = Account(redis)
    await account.take(1)
    refused = await account.take(50, 50)
    assert (refused.granted, refused.wait_seconds) == (0, 1.001)
    account.pass_time(SECOND + 1)
    assert (await account.take(50, 50)).granted == 10


async def test_lowered_limit_grants_nothing_until_enough_has_aged(redis: Redis) -> None:
    account = Account(redis)
    await account.take(10)
    refused = await account.take(1, limit=3)
    assert (refused.granted, refused.remaining, refused.wait_seconds) == (0, 0, 1.001)
    assert (await account.take(9, limit=12)).granted == 2


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
    ask = partial(account.window.take, limit=5, window_seconds=60, want=5, postgres_at=None, history=None)
    kinds: list[WindowKind] = ["items", "reads"]
    grants = [await ask(kind=kind, account_id=account_id) for account_id in (1, 2) for kind in kinds]
    assert [grant.granted for grant in grants if grant] == [5] * 4
