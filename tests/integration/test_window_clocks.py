"""Steps of the clocks of Redis and PostgreSQL age no grant and freeze no account."""

import random
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from tests.integration.window_model import ITEMS_LOG, SECOND, Account, forget, fullest_span, random_step


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("seed", range(4))
async def test_clock_steps_do_not_exceed_the_window_in_real_time(
    redis: Redis, seed: int, flushed: bool
) -> None:
    """Steps of either clock. After a flush, one of them must have been right since the newest grant."""
    rng = random.Random(seed)
    clocks = ["redis_clock", "postgres_clock"]
    stepping = [rng.choice(clocks)] if flushed else clocks
    account, real, idle = Account(redis), 0, 0
    granted: list[tuple[int, int]] = []  # by the time that really passed
    for _ in range(1500):
        passed = abs(random_step(rng, SECOND // 8, 0.0))
        real += passed
        account.pass_time(passed)
        if rng.random() < 0.1:
            clock = rng.choice(stepping)
            step = rng.choice([1, -1]) * rng.choice([3600 * SECOND, rng.randrange(SECOND // 10, 2 * SECOND)])
            setattr(account, clock, getattr(account, clock) + step)
        if flushed and rng.random() < 0.05:
            await forget(rng, redis, ITEMS_LOG)
        grant = await account.take(rng.randint(1, 4))
        if grant.granted:
            granted.append((real, grant.granted))
            idle = real
        assert real - idle <= 4 * SECOND  # no step freezes the account
    assert fullest_span(granted, SECOND) <= 10


@pytest.mark.parametrize("clock", ["redis_clock", "postgres_clock"])
@pytest.mark.parametrize("step", [3600, 12, 1, -1, -12, -3600])
async def test_a_step_of_one_clock_neither_ages_grants_nor_freezes_the_account(
    redis: Redis, clock: str, step: int
) -> None:
    account = Account(redis)
    before = await account.take(10, seconds=10)
    account.pass_time(4 * SECOND)
    setattr(account, clock, getattr(account, clock) + step * SECOND)
    refused = await account.take(10, seconds=10)
    lost = 1 if step == -1 else 0  # a clock that is still after the last grant: its step is not noticed
    assert (refused.granted, refused.wait_seconds) == (0, 6.001 + lost)
    account.pass_time(round(refused.wait_seconds * SECOND))
    after = await account.take(10, seconds=10)
    assert (after.granted, after.at - before.at) == (10, timedelta(seconds=10, milliseconds=1))


@pytest.mark.parametrize("ahead", [3600, 5, -5, -3600])
async def test_a_failover_to_a_host_with_another_clock_ages_nothing(redis: Redis, ahead: int) -> None:
    account = Account(redis)
    await account.take(10, seconds=10)
    account.pass_time(4 * SECOND)
    await redis.flushall()
    account.redis_clock += ahead * SECOND
    assert (await account.take(10, seconds=10)).wait_seconds == 6.001
    account.pass_time(6_001_000)
    assert (await account.take(10, seconds=10)).granted == 10
