"""A window that is asked for several amounts grants the first few of them, and cuts only the first one."""

import asyncio
import random
from functools import partial
from itertools import accumulate

import pytest
from redis.asyncio import Redis

from tests.integration.window_model import SECOND, Account, Oracle, fullest_span, moment


@pytest.mark.parametrize("seed", range(5))
async def test_parts_agree_with_a_brute_force_oracle(redis: Redis, seed: int) -> None:
    rng = random.Random(seed)
    account, oracle, limit = Account(redis), Oracle(SECOND), 30
    cut = 0
    for _ in range(500):
        account.pass_time(rng.randrange(SECOND // 5))
        clocks = account.redis_clock, account.postgres_clock
        parts = [rng.randint(1, 15) for _ in range(rng.randint(1, 5))]
        minimum = rng.randint(1, parts[0])
        grant = await account.window.take(
            kind="items",
            account_id=42,
            limit=limit,
            window_seconds=1,
            want=sum(parts),
            minimum=minimum,
            parts=parts,
            postgres_at=moment(account.postgres_clock),
            history=account.history,
        )
        room = limit - oracle.used(oracle.tick(*clocks))
        want = max((total for total in accumulate(parts) if total <= room), default=parts[0])
        assert grant == oracle.decide(*clocks, limit=limit, want=want, minimum=minimum)
        cut += 0 < grant.granted < parts[0]
    assert cut > 10
    assert fullest_span(oracle.granted, SECOND) <= limit


async def test_calls_at_the_same_moment_share_a_round_trip_and_load_a_lost_script(redis: Redis) -> None:
    account = Account(redis, real_time=True)
    take = partial(
        account.window.take, kind="items", limit=5, window_seconds=60, postgres_at=None, history=None
    )
    await redis.script_flush()
    before = await redis.info("stats")
    grants = await asyncio.gather(*(take(account_id=number, want=3) for number in range(20)))
    assert [grant.granted for grant in grants if grant] == [3] * 20
    grants = await asyncio.gather(*(take(account_id=number, want=3) for number in range(20)))
    assert [grant.granted for grant in grants if grant] == [2] * 20
    after = await redis.info("stats")
    assert after["total_connections_received"] - before["total_connections_received"] <= 1


@pytest.mark.parametrize(("parts", "want", "minimum"), [([2, 3], 6, 1), ([2, 3], 5, 3)])
async def test_parts_that_do_not_fit_the_call_are_refused(
    redis: Redis, parts: list[int], want: int, minimum: int
) -> None:
    with pytest.raises(ValueError, match="must be"):
        await Account(redis).window.take(
            kind="items",
            account_id=42,
            limit=9,
            window_seconds=1,
            want=want,
            minimum=minimum,
            parts=parts,
            postgres_at=None,
            history=None,
        )
