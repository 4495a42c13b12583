"""Small jobs of accounts with an item limit are claimed together, and never exceed their windows."""

import asyncio
from datetime import timedelta

import pytest

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline.chunks import Claim
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import barred, bells, counts_of, drain, job_of, unfinished, waiting_backends
from worker.claim import claim_chunks
from worker.turn import take_turn

GRANTS = "SELECT account_id, items FROM grants ORDER BY account_id, at"
READY = "SELECT count(*) FROM account_turns WHERE ready_at <= throttled_at"
OVER = "UPDATE account_turns SET ready_at = now()"
FULLEST = """
SELECT max((SELECT sum(items) FROM grants b
            WHERE b.account_id = g.account_id AND b.at BETWEEN g.at - make_interval(secs => $1) AND g.at))
FROM grants g
"""


async def jobs_of(ctx: Context, account_id: AccountId, sizes: list[int], **options: str) -> list[JobId]:
    """Make small jobs with these numbers of items."""
    return [
        await make_job(ctx, account_id, [contact(n, name=f"Job {place}") for n in range(size)], **options)  # type: ignore[arg-type]
        for place, size in enumerate(sizes)
    ]


def taken(claims: list[Claim]) -> list[tuple[JobId, int, bool]]:
    return [(claim.job_id, claim.items, claim.follows) for claim in claims]


async def grants(ctx: Context) -> list[tuple[int, int]]:
    return [tuple(row) for row in await ctx.pool.fetch(GRANTS)]


async def test_jobs_of_several_accounts_are_claimed_together_with_one_grant_each(ctx: Context) -> None:
    limited = [await make_account(ctx, item_limit=100) for _ in range(3)]
    free = await make_account(ctx, item_limit=0)
    jobs = [await jobs_of(ctx, account.id, [10, 20]) for account in [*limited, free]]
    claims = await claim_chunks(ctx)
    assert taken(claims) == [
        (job, items, items == 20) for pair in jobs for job, items in zip(pair, (10, 20), strict=True)
    ]
    assert await grants(ctx) == [(account.id, 30) for account in limited]
    assert not await claim_chunks(ctx)


async def test_only_the_jobs_that_fit_into_the_window_are_leased(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=50, window_seconds=3600)
    first, second, third = await jobs_of(ctx, account.id, [20, 20, 20])
    assert taken(await claim_chunks(ctx)) == [(first, 20, False), (second, 20, True)]
    assert await grants(ctx) == [(account.id, 40)]
    await ctx.pool.execute("UPDATE chunks SET state = 'done' WHERE state = 'running'")
    await ctx.pool.execute("UPDATE jobs SET state = 'completed' WHERE id <> $1", third)
    assert taken(await claim_chunks(ctx)) == [(third, 10, False)]  # the next one is cut by the rest
    assert await grants(ctx) == [(account.id, 40), (account.id, 10)]


async def test_an_account_without_room_waits_and_the_others_are_served(ctx: Context) -> None:
    full, other = [await make_account(ctx, item_limit=10, window_seconds=3600) for _ in range(2)]
    await jobs_of(ctx, full.id, [10])
    await drain(ctx)
    (waiting,) = await jobs_of(ctx, full.id, [5])
    (served,) = await jobs_of(ctx, other.id, [5])
    await ctx.queue.redis.delete(ctx.queue.redis.default_queue_name)
    assert [claim.job_id for claim in await claim_chunks(ctx)] == [served]
    assert await bells(ctx) == {"work": 1}  # for the moment when the window has room
    throttled_until = (await job_of(ctx, full.id, waiting)).throttled_until
    assert throttled_until is not None
    now = await ctx.pool.fetchval("SELECT now()")
    assert timedelta(minutes=59) < throttled_until - now < timedelta(minutes=61)
    assert await ctx.pool.fetchval(READY) == 1


async def test_a_job_that_the_window_cuts_leaves_the_order_of_the_others(ctx: Context) -> None:
    cut = await make_account(ctx, item_limit=4, window_seconds=3600)
    free = await make_account(ctx, item_limit=0)
    await jobs_of(ctx, cut.id, [6])
    jobs = await jobs_of(ctx, free.id, [1, 1, 1])
    await take_turn(ctx)
    assert [(await job_of(ctx, free.id, job)).state for job in jobs] == ["completed"] * 3
    rows = "SELECT name, count(*) FROM contacts WHERE account_id = $1 GROUP BY name"
    assert [tuple(row) for row in await ctx.pool.fetch(rows, free.id)] == [("Job 2", 1)]
    assert [tuple(row) for row in await ctx.pool.fetch(rows, cut.id)] == [("Job 0", 4)]
    assert not ctx.held


async def test_windows_that_redis_lost_are_loaded_together(ctx: Context) -> None:
    accounts = [await make_account(ctx, item_limit=10, window_seconds=3600) for _ in range(5)]
    for number in (6, 3, 3):
        for account in accounts:
            await jobs_of(ctx, account.id, [number])
        await ctx.queue.redis.flushall()
        await ctx.pool.execute(OVER)
        await asyncio.gather(*(take_turn(ctx) for _ in range(4)))
    expected = [(account.id, items) for account in accounts for items in (6, 3, 1)]
    assert await grants(ctx) == expected


@pytest.mark.parametrize("flushes", [False, True])
async def test_four_workers_never_exceed_the_windows_of_many_accounts(
    ctx: Context, crew: list[Context], flushes: bool
) -> None:
    accounts = [await make_account(ctx, item_limit=20 + place, window_seconds=1) for place in range(6)]
    for stream in ("a", "b"):
        for account in accounts:
            await jobs_of(ctx, account.id, [3, 7, 11, 2, 9], stream=stream)
    if flushes:
        await ctx.queue.redis.flushall()
    await drain(*crew)
    for place, account in enumerate(accounts):
        rows = await ctx.pool.fetch("SELECT id FROM jobs WHERE account_id = $1", account.id)
        states = [await job_of(ctx, account.id, row["id"]) for row in rows]
        assert sum(sum(counts_of(job).values()) for job in states) == 64
        fullest = await ctx.pool.fetchval(FULLEST + "WHERE g.account_id = $2", 1, account.id)
        assert fullest <= 20 + place
    assert await unfinished(ctx) == 0
    assert await ctx.pool.fetchval("SELECT sum(items) FROM grants") == 64 * 6


async def test_a_claim_that_waits_for_a_turn_holds_no_other(ctx: Context, crew: list[Context]) -> None:
    """Otherwise two claims deadlock: each has woken a turn and waits for that of the other."""
    idle, busy = [await make_account(ctx, item_limit=100) for _ in range(2)]
    await jobs_of(ctx, idle.id, [5])
    await claim_chunks(ctx)  # now nothing of the account can be claimed
    await ctx.pool.execute("UPDATE account_turns SET ready_at = now(), throttled_at = '2020-01-01'")
    (job,) = await jobs_of(ctx, busy.id, [5])
    await ctx.pool.execute("UPDATE account_turns SET ready_at = throttled_at WHERE account_id = $1", busy.id)
    async with barred(ctx, f"SELECT FROM account_turns WHERE account_id = {busy.id} FOR UPDATE"):
        claiming = asyncio.create_task(claim_chunks(crew[0]))
        await until(lambda: waiting_backends(ctx))
        await ctx.pool.execute("SELECT FROM account_turns WHERE account_id = $1 FOR UPDATE NOWAIT", idle.id)
    assert [claim.job_id for claim in await claiming] == [job]


async def test_redis_away_leaves_the_chunks_ready(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    limited, free = await make_account(ctx, item_limit=100), await make_account(ctx, item_limit=0)
    await jobs_of(ctx, limited.id, [5])
    (job,) = await jobs_of(ctx, free.id, [5])
    await ctx.queue.redis.execute_command("CLIENT", "PAUSE", "3000", "ALL")  # type: ignore[no-untyped-call]
    assert [claim.job_id for claim in await claim_chunks(ctx)] == [job]
    assert await grants(ctx) == []
