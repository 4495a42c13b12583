"""Cancel a job while another process works on it: one waits for the other, and no item is lost."""

import asyncio

import pytest

from schemas.errors import Unavailable
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import cancellation, turns, uploads
from storage.pipeline.uploads import NewJob, Received
from tests.factories import contact, make_account, make_job, make_list
from tests.integration.worker.cancelling import cancel, new_job, outcomes_of, waiting
from tests.waiting import until
from tests.workers import (
    barred,
    claim,
    claim_in,
    counts_of,
    drain,
    job_of,
)
from worker.apply import apply_chunk
from worker.finish import finish_if_last


async def test_done_chunks_stay_and_leased_chunks_are_fenced(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(9)], chunk_items=3)
    await apply_chunk(ctx, await claim(ctx))
    late = await claim(crew[0])
    assert await cancellation.cancel(ctx.pool, account.id, job_id) is not None
    live = await job_of(ctx, account.id, job_id)
    assert (live.state, live.created, live.cancelled) == ("running", 3, 6)
    await apply_chunk(crew[0], late)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, counts_of(job)) == ("cancelled", {"created": 3, "cancelled": 6})
    assert await outcomes_of(ctx, account.id, job_id) == ["created"] * 3 + ["cancelled"] * 6
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 3


async def test_cancel_waits_for_a_claim_and_the_rest_of_its_chunk(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(9)], chunk_items=3)
    await apply_chunk(ctx, await claim(ctx))  # the job has started, so the next claim does not update it
    async with ctx.pool.acquire() as conn, conn.transaction():
        await claim_in(ctx, conn)
        cancelling = asyncio.create_task(cancellation.cancel(crew[0].pool, account.id, job_id))
        await until(lambda: waiting(ctx, 1))
    await cancelling
    await finish_if_last(ctx, account.id, job_id)
    assert await outcomes_of(ctx, account.id, job_id) == ["created"] * 3 + ["cancelled"] * 6
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 3, "cancelled": 6}


async def test_cancel_waits_for_a_chunk_that_is_being_applied(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(0)])
    await drain(ctx)
    job_id = await make_job(ctx, account.id, [contact(n, name="new") for n in range(6)], chunk_items=3)
    held = await claim(crew[0])
    async with barred(ctx, "SELECT FROM contacts FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(crew[0], held))
        await until(lambda: waiting(ctx, 1))
        cancelling = asyncio.create_task(cancellation.cancel(crew[1].pool, account.id, job_id))
        await until(lambda: waiting(ctx, 2))
        assert not cancelling.done()
    await asyncio.gather(applying, cancelling)
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"updated": 1, "created": 2, "cancelled": 3}
    assert await outcomes_of(ctx, account.id, job_id) == ["updated"] + ["created"] * 2 + ["cancelled"] * 3


async def test_cancel_waits_for_an_accept_in_progress(ctx: Context, crew: list[Context]) -> None:
    """Accept locks the job before the turn: a cancel that locked the turn first could deadlock with it."""
    account = await make_account(ctx)
    job = new_job(account.id)
    await uploads.open_job(ctx.pool, job)
    await uploads.add_part(ctx.pool, account.id, job.id, 0, b'{"phone": "+14152000001"}')
    async with barred(ctx, f"SELECT FROM account_turns WHERE account_id = {account.id} FOR UPDATE"):
        accepting = asyncio.create_task(_accept(crew[0], job))
        await until(lambda: waiting(ctx, 1))
        cancelling = asyncio.create_task(cancel(crew[1], account.id, job.id))
        await until(lambda: waiting(ctx, 2))
    await asyncio.gather(accepting, cancelling)
    row = await job_of(ctx, account.id, job.id)
    assert (row.state, row.total, counts_of(row)) == ("cancelled", 1, {"cancelled": 1})


async def _accept(ctx: Context, job: NewJob) -> None:
    async with ctx.pool.acquire() as conn, conn.transaction():
        received = Received(layout=None, parallel=1, parts=1, size=25, total=None)
        assert await uploads.accept(conn, job, received)


async def test_a_job_cancelled_after_its_last_chunk_runs_its_closing_step(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    params, overwrite = JobParams(list_id=list_id), Operation.LISTS_OVERWRITE
    await make_job(ctx, account.id, [contact(0)], operation=overwrite, params=params)
    await drain(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)], operation=overwrite, params=params)
    held = await claim(ctx)
    async with barred(ctx, "SELECT FROM contact_lists FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(ctx, held))
        await until(lambda: waiting(ctx, 1))
        cancelling = asyncio.create_task(cancellation.cancel(ctx.pool, account.id, job_id))
        await until(lambda: waiting(ctx, 2))
    await asyncio.gather(applying, cancelling)
    await finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, counts_of(job)) == ("completed", {"created": 1})
    requested = await ctx.pool.fetchval(
        "SELECT cancel_requested_at IS NOT NULL FROM jobs WHERE id = $1", job_id
    )
    assert (requested, job.removed) == (True, 1)


async def test_cancel_releases_the_turn_while_it_waits_for_the_job(ctx: Context, crew: list[Context]) -> None:
    """Finish locks the job before the turn. A deadlock would take the one second of deadlock_timeout."""
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM jobs FOR UPDATE")
        cancelling = asyncio.create_task(cancellation.cancel(crew[0].pool, account.id, job_id))
        await until(lambda: waiting(ctx, 1))
        async with asyncio.timeout(0.9):
            await turns.lock(conn, account.id)
    await cancelling
    await finish_if_last(ctx, account.id, job_id)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"cancelled": 1}


async def test_cancelling_a_job_that_stays_locked_fails_as_unavailable(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "PATIENCE_SECONDS", 0.3)
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    async with barred(ctx, "SELECT FROM jobs FOR UPDATE"):
        with pytest.raises(Unavailable):
            await cancellation.cancel(crew[0].pool, account.id, job_id)
    await drain(ctx)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 1}


async def test_a_cursor_skips_nothing_while_a_cancelled_job_ends(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(4)], chunk_items=2)
    first, second = await claim(ctx), await claim(ctx)
    await apply_chunk(ctx, second)
    assert await outcomes_of(ctx, account.id, job_id) == []
    assert await cancellation.cancel(ctx.pool, account.id, job_id) is not None
    assert await outcomes_of(ctx, account.id, job_id) == ["cancelled"] * 2 + ["created"] * 2
    await apply_chunk(ctx, first)
    assert (await job_of(ctx, account.id, job_id)).state == "cancelled"
