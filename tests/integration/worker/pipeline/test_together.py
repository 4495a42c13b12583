"""Small jobs are claimed, applied and ended together, with the same effect as one by one."""

import asyncio
from typing import Any

import pytest

from schemas.formats.records import PART_BYTES
from schemas.ids import AccountId, JobId
from schemas.states import JobState
from storage.context import Context
from storage.pipeline import cancellation
from storage.pipeline.chunks import TOGETHER, Claim
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import barred, counts_of, drain, expire_leases, job_of, unfinished, waiting_backends
from worker import turn
from worker.claim import claim_chunks
from worker.finish import finish_if_last
from worker.reconcile import reconcile
from worker.together import apply_together
from worker.turn import take_turn

NAME = "SELECT name FROM contacts WHERE account_id = $1"
BROKEN = """
CREATE FUNCTION break_down() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'an error that no item can cause'; END $$;
CREATE TRIGGER break_down BEFORE INSERT ON contacts
    FOR EACH ROW WHEN (NEW.account_id = {} AND NEW.name = 'Name 0') EXECUTE FUNCTION break_down();
"""
CHUNKS = "SELECT state, deaths FROM chunks ORDER BY account_id, job_id"


async def jobs_of(ctx: Context, account_id: AccountId, number: int) -> list[JobId]:
    """Make small jobs of one stream. Each gives the same contact another name."""
    return [await make_job(ctx, account_id, [contact(1, name=f"Name {n}")]) for n in range(number)]


def claimed(claims: list[Claim]) -> list[tuple[JobId, bool]]:
    return [(claim.job_id, claim.follows) for claim in claims]


async def test_the_jobs_of_a_stream_are_claimed_in_order(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    first, *others = await jobs_of(ctx, account.id, 5)
    assert claimed(await claim_chunks(ctx)) == [(first, False), *((job, True) for job in others)]
    assert await claim_chunks(ctx) == []


async def test_the_jobs_of_many_accounts_are_claimed_together(ctx: Context) -> None:
    accounts = [await make_account(ctx, item_limit=0) for _ in range(3)]
    jobs = [await jobs_of(ctx, account.id, 2) for account in accounts]
    claims = await claim_chunks(ctx)
    assert claimed(claims) == [(job, place > 0) for two in jobs for place, job in enumerate(two)]
    assert await apply_together(ctx, claims)
    assert await unfinished(ctx) == 0
    assert [await ctx.pool.fetchval(NAME, account.id) for account in accounts] == ["Name 1"] * 3
    assert not ctx.held - {claim.token for claim in claims}


async def test_a_claim_has_bounds(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    await jobs_of(ctx, account.id, TOGETHER + 1)
    assert len(await claim_chunks(ctx)) == TOGETHER
    other = await make_account(ctx, item_limit=0)
    for _ in range(3):
        await make_job(ctx, other.id, [contact(n) for n in range(400)])
    assert [claim.items for claim in await claim_chunks(ctx)] == [400, 400]


@pytest.mark.parametrize("accounts", [1, 3])
async def test_a_claim_has_the_bytes_of_a_part(ctx: Context, accounts: int) -> None:
    ids = [(await make_account(ctx, item_limit=0)).id for _ in range(accounts)]
    for place in range(3):
        item = contact(1, metadata={"k": "x" * (PART_BYTES // 2 - 100)})
        await make_job(ctx, ids[place % accounts], [item])
    assert len(await claim_chunks(ctx)) == 2


async def test_what_is_not_small_ends_a_claim(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    first = await make_job(ctx, account.id, [contact(1)])
    large = await make_job(ctx, account.id, [contact(1), contact(2)], chunk_items=1)
    last = await make_job(ctx, account.id, [contact(1)])
    assert claimed(await claim_chunks(ctx)) == [(first, False)]
    await expire_leases(ctx)
    await reconcile(ctx)
    await drain(ctx)
    positions = await ctx.pool.fetch("SELECT id FROM jobs ORDER BY finished_at")
    assert [row["id"] for row in positions] == [first, large, last]


@pytest.mark.parametrize("kind", ["dry run", "closing step", "cancelled", "delayed", "blamed", "unsplit"])
async def test_some_jobs_follow_no_other_one(ctx: Context, kind: str) -> None:
    account = await make_account(ctx, item_limit=0)
    first = await make_job(ctx, account.id, [contact(1)])
    other = await make_job(
        ctx, account.id, [contact(2)], dry_run=kind == "dry run", split=kind != "unsplit", stream="contacts"
    )
    change = {
        "closing step": "UPDATE jobs SET operation = 'lists.overwrite' WHERE id = $1",
        "cancelled": "UPDATE jobs SET cancel_requested_at = now() WHERE id = $1",
        "delayed": "UPDATE jobs SET failures = 1, retry_at = now() + interval '5 s' WHERE id = $1",
        "blamed": "UPDATE chunks SET deaths = 1 WHERE job_id = $1",
    }
    if kind in change:
        await ctx.pool.execute(change[kind], other)
    assert claimed(await claim_chunks(ctx)) == [(first, False)]


async def test_a_claim_that_lost_one_chunk_applies_none(ctx: Context) -> None:
    """If a job was taken over by another worker, the jobs that follow it must not come before it."""
    account = await make_account(ctx, item_limit=0)
    first, _ = await jobs_of(ctx, account.id, 2)
    claims = await claim_chunks(ctx)
    await ctx.pool.execute("UPDATE chunks SET token = 1 WHERE job_id = $1", first)
    assert not await apply_together(ctx, claims)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_a_job_that_fails_delays_the_jobs_that_follow_it_and_no_other(ctx: Context) -> None:
    account, neighbour = await make_account(ctx, item_limit=0), await make_account(ctx, item_limit=0)
    await jobs_of(ctx, account.id, 2)
    await jobs_of(ctx, neighbour.id, 2)
    await ctx.pool.execute(BROKEN.format(account.id))
    await take_turn(ctx)
    assert await ctx.pool.fetchval(NAME, neighbour.id) == "Name 1"
    assert await ctx.pool.fetchval(NAME, account.id) is None
    assert not ctx.held
    assert [tuple(row) for row in await ctx.pool.fetch(CHUNKS)] == [("ready", 0)] * 2 + [("done", 0)] * 2


async def test_a_locked_contact_delays_no_other_account(ctx: Context, crew: list[Context]) -> None:
    accounts = [await make_account(ctx, item_limit=0) for _ in range(2)]
    for account in accounts:
        await jobs_of(ctx, account.id, 1)
    await drain(ctx)
    for account in accounts:
        await make_job(ctx, account.id, [contact(1, name="New")])
    async with barred(ctx, f"SELECT FROM contacts WHERE account_id = {accounts[0].id} FOR UPDATE"):
        taking = asyncio.create_task(take_turn(crew[0]))
        await until(lambda: waiting_backends(ctx))
        await until(lambda: _has_name(ctx, accounts[1].id, "New"))
    await taking
    await drain(ctx)
    assert await ctx.pool.fetchval(NAME, accounts[0].id) == "New"


async def test_a_job_that_is_cancelled_in_between_holds_no_other_one(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    first, second = await jobs_of(ctx, account.id, 2)
    claims = await claim_chunks(ctx)
    await cancellation.cancel(ctx.pool, account.id, first)
    assert not await apply_together(ctx, claims)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 0
    await finish_if_last(ctx, account.id, first)
    await expire_leases(ctx)
    await reconcile(ctx)
    await drain(ctx)
    assert (await job_of(ctx, account.id, first)).state == JobState.CANCELLED
    assert (await job_of(ctx, account.id, second)).state == JobState.COMPLETED


async def test_a_dead_worker_blames_each_chunk_once_and_then_they_are_claimed_alone(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx, item_limit=0)
    first, *_ = await jobs_of(ctx, account.id, 3)
    assert len(await claim_chunks(crew[0])) == 3
    await expire_leases(ctx)
    await reconcile(ctx)
    assert [tuple(row) for row in await ctx.pool.fetch(CHUNKS)] == [("ready", 1)] * 3
    assert claimed(await claim_chunks(ctx)) == [(first, False)]


async def test_bad_items_fail_alone(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=0)
    items: list[list[Any]] = [[contact(1), {"phone": "x"}], [7], [contact(2)]]
    jobs = [await make_job(ctx, account.id, some) for some in items]
    claims = await claim_chunks(ctx)
    assert len(claims) == 3
    assert await apply_together(ctx, claims)
    states = [(await job_of(ctx, account.id, job)).state for job in jobs]
    assert states == ["completed_with_errors", "completed_with_errors", "completed"]
    assert counts_of(await job_of(ctx, account.id, jobs[0])) == {"created": 1, "failed": 1}


async def test_a_turn_that_is_cancelled_gives_back_all_its_claims(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx, item_limit=0)
    await jobs_of(ctx, account.id, 2)
    begun = asyncio.Event()

    async def hang(*_: object) -> bool:
        begun.set()
        return await asyncio.Event().wait()

    monkeypatch.setattr(turn, "apply_together", hang)
    taking = asyncio.create_task(take_turn(crew[0]))
    await begun.wait()
    taking.cancel()
    await asyncio.wait({taking})
    assert [tuple(row) for row in await ctx.pool.fetch(CHUNKS)] == [("ready", 0)] * 2
    assert not crew[0].held


async def _has_name(ctx: Context, account_id: AccountId, name: str) -> bool:
    return bool(await ctx.pool.fetchval(NAME, account_id) == name)
