"""The fence: a worker that lost its chunk can no longer change anything."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from storage.context import Context
from storage.pipeline import chunks, leases
from tests.factories import contact, make_account, make_job
from tests.waiting import until
from tests.workers import (
    barred,
    claim,
    counts_of,
    drain,
    expire_leases,
    job_of,
    versions,
    waiting_backends,
)
from worker.apply import apply_chunk
from worker.reconcile import reconcile
from worker.turn import keep_claims

AFTER_THE_EFFECT = "LOCK TABLE outcomes IN SHARE MODE"


async def test_a_worker_whose_lease_expired_changes_nothing(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(10)])
    stale = await claim(crew[0])
    await expire_leases(ctx)
    await reconcile(crew[1])
    await apply_chunk(crew[0], stale)
    assert await versions(ctx, account.id) == {}
    fresh = await claim(crew[1])
    assert fresh.token != stale.token
    await apply_chunk(crew[0], stale)
    assert await versions(ctx, account.id) == {}
    assert await ctx.pool.fetchval("SELECT state FROM chunks") == "running"
    await apply_chunk(crew[1], fresh)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 10}


async def test_a_worker_that_wakes_up_late_does_not_undo_a_later_job(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n, name="old") for n in range(10)])
    stale = await claim(crew[0])
    await expire_leases(ctx)
    await reconcile(crew[1])
    await make_job(ctx, account.id, [contact(n, name="new") for n in range(10)])
    await drain(crew[1])
    before = await versions(ctx, account.id)
    await apply_chunk(crew[0], stale)
    assert await versions(ctx, account.id) == before
    assert await ctx.pool.fetchval("SELECT count(*) FROM outcomes") == 2


async def test_a_worker_cannot_apply_a_chunk_that_it_released(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    held = await claim(ctx)
    await chunks.release(ctx.pool, held, blame=False)
    await apply_chunk(ctx, held)
    assert await versions(ctx, account.id) == {}


async def test_releasing_a_chunk_that_another_worker_claimed_does_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    stale = await claim(ctx)
    await chunks.release(ctx.pool, stale, blame=False)
    fresh = await claim(ctx)
    await chunks.release(ctx.pool, stale, blame=True)
    assert await ctx.pool.fetchval("SELECT state FROM chunks") == "running"
    await apply_chunk(ctx, fresh)
    assert await ctx.pool.fetchval("SELECT state FROM chunks") == "done"


async def test_each_claim_has_its_own_token(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    tokens = []
    for end in ("released", "expired", "released", "expired"):
        held = await claim(ctx)
        tokens.append(held.token)
        if end == "released":
            await chunks.release(ctx.pool, held, blame=False)
        else:
            await expire_leases(ctx)
            await reconcile(ctx)
    assert len(set(tokens)) == 4


async def test_a_claim_applied_twice_is_applied_once(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(10)])
    held = await claim(ctx)
    await apply_chunk(ctx, held)
    before = await versions(ctx, account.id)
    await apply_chunk(ctx, held)
    assert await versions(ctx, account.id) == before
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 10}


async def test_a_claim_applied_by_many_workers_at_once_is_applied_once(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(200)])
    held = await claim(ctx)
    await asyncio.gather(*(apply_chunk(worker, held) for worker in crew for _ in range(2)))
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 200}


async def test_a_chunk_that_is_being_applied_is_not_freed(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(10)])
    held = await claim(crew[0])
    await expire_leases(ctx)
    async with barred(ctx, AFTER_THE_EFFECT):
        applying = asyncio.create_task(apply_chunk(crew[0], held))
        await until(lambda: waiting_backends(ctx))
        async with asyncio.timeout(5):  # it skips the chunk without waiting for its lock
            await reconcile(crew[1])
        assert await ctx.pool.fetchval("SELECT state FROM chunks") == "running"
    await applying
    assert await ctx.pool.fetchval("SELECT state FROM chunks") == "done"


async def test_a_running_worker_keeps_its_chunks(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    await claim(ctx)
    await expire_leases(ctx)

    async def renewed() -> bool:
        alive: bool = await ctx.pool.fetchval("SELECT lease_until > now() + interval '2 s' FROM chunks")
        return alive

    async with keep_claims(ctx):
        await until(renewed)
    await reconcile(ctx)
    assert await ctx.pool.fetchval("SELECT state FROM chunks") == "running"


async def test_a_worker_disowns_a_claim_whose_reply_was_lost(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(4)], chunk_items=2)
    claims = await chunks.claim_unlimited(ctx.pool, ctx.worker_id, [leases.new_token()])
    assert claims is not None
    (lost,) = claims
    held = await claim(ctx)
    async with keep_claims(ctx):
        await until(lambda: ctx.pool.fetchval("SELECT count(*) FROM chunks WHERE state = 'ready'"))
    rows = await ctx.pool.fetch("SELECT first_index, state, deaths FROM chunks")
    assert {row["first_index"]: (row["state"], row["deaths"]) for row in rows} == {
        lost.first_index: ("ready", 0),
        held.first_index: ("running", 0),
    }


class ReadTooEarly(set[int]):
    """The tokens of a worker, of which `renew` reads none: as if they were added right after."""

    reads = 0

    def __iter__(self) -> Iterator[int]:
        self.reads += 1
        return iter(())


async def test_a_claim_that_is_sent_while_the_leases_are_renewed_is_not_disowned(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)])
    held = ReadTooEarly([(await claim(ctx)).token])

    async def renewed() -> bool:
        return held.reads > 1  # the first round is over when the second one begins

    async with keep_claims(replace(ctx, held=held)):
        await until(renewed)
    assert await ctx.pool.fetchval("SELECT state FROM chunks") == "running"


async def test_the_fence_compares_the_range_of_the_chunk(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(10)])
    held = await claim(ctx)
    await apply_chunk(ctx, replace(held, items=4))
    assert await versions(ctx, account.id) == {}
    await apply_chunk(ctx, held)
    assert len(await versions(ctx, account.id)) == 10


async def test_a_claim_whose_commit_was_lost_does_not_pass_the_fence_of_the_next_one(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx, item_limit=400)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(1_000)])
    before = await ctx.pool.fetchrow("SELECT items, state, token FROM chunks")
    assert before is not None
    lost = await claim(crew[0])
    assert lost.items == 400
    # a crash of PostgreSQL has lost the claim: the rest of the chunk, the grant and the lease are gone
    await ctx.pool.execute("DELETE FROM chunks WHERE first_index = 400")
    await ctx.pool.execute("UPDATE chunks SET items = $1, state = $2, token = $3", *before)
    await ctx.pool.execute("UPDATE accounts SET item_limit = 0")
    fresh = await claim(crew[1])
    assert fresh.items == 1_000
    await apply_chunk(crew[0], lost)
    assert await versions(ctx, account.id) == {}
    await apply_chunk(crew[1], fresh)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 1_000}
