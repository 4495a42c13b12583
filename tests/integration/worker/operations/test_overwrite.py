"""lists.overwrite: the list holds exactly the contacts of the job, and no reader sees it empty."""

import asyncio

import pytest

from schemas.operations import JobParams, Operation
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline.finish import Finishing
from storage.postgres.pool import LIMITS
from tests.factories import contact, make_account, make_job, make_list, phone
from tests.integration.worker.job_runs import assert_consistent, members_of, run, run_job
from tests.integration.worker.stepwise import LAST, delete, id_of, start
from tests.waiting import until
from tests.workers import (
    barred,
    claim,
    drain,
    job_of,
    open_worker,
    waiting_backends,
)
from worker import finish
from worker.apply import apply_chunk
from worker.turn import take_turn

WAITING_LONG = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query_start < now() - interval '0.5 s'
"""
ADD, OVERWRITE = Operation.LISTS_ADD, Operation.LISTS_OVERWRITE


async def test_a_reader_sees_the_old_the_new_or_both(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    await run(ctx, account.id, ADD, [contact(n) for n in range(4_000)], list_id=list_id, workers=crew)
    old = await members_of(ctx, "list", list_id)
    items = [contact(n) for n in range(3_900, 7_900)]
    job_id = await make_job(
        ctx, account.id, items, operation=OVERWRITE, params=JobParams(list_id=list_id), parallel=4
    )
    done = asyncio.create_task(drain(*crew))
    seen: list[set[int]] = []
    while not done.done():
        seen.append(await members_of(ctx, "list", list_id))
    await done
    new = await members_of(ctx, "list", list_id)
    assert len(new) == 4_000
    assert len(new & old) == 100
    assert all(one >= old or one == new for one in seen)
    assert all(one <= old | new for one in seen)
    job = await job_of(ctx, account.id, job_id)
    assert (job.added, job.removed) == (3_900, 3_900)
    await assert_consistent(ctx)


async def test_contacts_of_merged_items_stay(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    await run(ctx, account.id, ADD, [contact(n) for n in range(4)], list_id=list_id)
    items = [contact(1), contact(1, age=3), contact(2)]
    job_id, _ = await run_job(ctx, account.id, OVERWRITE, items, list_id=list_id, chunk_items=1)
    rows = await ctx.pool.fetch("SELECT id FROM contacts WHERE phone = ANY ($1)", [phone(1), phone(2)])
    assert await members_of(ctx, "list", list_id) == {row["id"] for row in rows}
    assert (await job_of(ctx, account.id, job_id)).removed == 2


async def test_other_lists_of_the_contacts_do_not_change(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id, other = await make_list(ctx, account.id), await make_list(ctx, account.id)
    for one in (list_id, other):
        await run(ctx, account.id, ADD, [contact(n) for n in range(4)], list_id=one)
    before = await members_of(ctx, "list", other)
    await run(ctx, account.id, OVERWRITE, [contact(9)], list_id=list_id)
    assert await members_of(ctx, "list", other) == before
    assert len(await members_of(ctx, "list", list_id)) == 1


async def test_a_cancelled_job_removes_no_contact(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    await run(ctx, account.id, ADD, [contact(n) for n in range(4)], list_id=list_id)
    before = await members_of(ctx, "list", list_id)
    params = JobParams(list_id=list_id)
    items = [contact(n) for n in range(10, 14)]
    job_id = await make_job(ctx, account.id, items, operation=OVERWRITE, params=params, chunk_items=2)
    await apply_chunk(ctx, await claim(ctx))
    await ctx.pool.execute("UPDATE jobs SET cancel_requested_at = now() WHERE id = $1", job_id)
    await ctx.pool.execute("UPDATE chunks SET state = 'cancelled' WHERE state = 'ready'")
    await finish.finish_if_last(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.added, job.removed) == ("cancelled", 2, 0)
    assert await members_of(ctx, "list", list_id) > before


async def test_a_late_closing_step_removes_no_contact_of_a_later_job(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    late, prompt = crew[:2]
    stopped, go_on = asyncio.Event(), asyncio.Event()

    async def settle_after_signal(worker: Context, job: Finishing) -> None:
        if worker is late:
            stopped.set()
            await go_on.wait()

    monkeypatch.setattr(finish, "settle", settle_after_signal)
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    params = JobParams(list_id=list_id)
    items = [contact(1), contact(1)]
    job_id = await make_job(ctx, account.id, items, operation=OVERWRITE, params=params, chunk_items=1)
    closing = asyncio.create_task(take_turn(late))
    await asyncio.wait_for(stopped.wait(), 10)
    await ctx.pool.execute("UPDATE jobs SET lease_until = NULL, token = NULL")
    await finish.finish_if_last(prompt, account.id, job_id)
    await run(prompt, account.id, OVERWRITE, [contact(2), contact(3)], list_id=list_id)
    members = await members_of(ctx, "list", list_id)
    assert len(members) == 2
    go_on.set()
    await closing
    assert await members_of(ctx, "list", list_id) == members
    assert (await job_of(ctx, account.id, job_id)).removed == 0


async def test_a_job_can_be_read_and_locked_during_its_closing_step(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    await run(ctx, account.id, ADD, [contact(n) for n in range(4)], list_id=list_id)
    params = JobParams(list_id=list_id)
    job_id = await make_job(ctx, account.id, [contact(0)], operation=OVERWRITE, params=params)
    async with barred(ctx, "SELECT FROM memberships FOR UPDATE"):
        closing = asyncio.create_task(take_turn(crew[0]))
        await until(lambda: waiting_backends(ctx))
        assert await ctx.pool.fetchval("SELECT id FROM jobs WHERE id = $1 FOR UPDATE NOWAIT", job_id)
        assert len(await members_of(ctx, "list", list_id)) == 4
    await closing
    assert (await job_of(ctx, account.id, job_id)).removed == 3


async def test_a_closing_step_may_exceed_the_statement_timeout(
    ctx: Context, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    await run(ctx, account.id, ADD, [contact(n) for n in range(4)], list_id=list_id)
    params = JobParams(list_id=list_id)
    job_id = await make_job(ctx, account.id, [contact(0)], operation=OVERWRITE, params=params)
    monkeypatch.setitem(LIMITS, "statement_timeout", "200ms")
    async with open_worker(settings) as hurried:
        async with barred(ctx, "SELECT FROM memberships WHERE contact_id > 1 FOR UPDATE"):
            closing = asyncio.create_task(take_turn(hurried))
            await until(lambda: ctx.pool.fetchval(WAITING_LONG))
        await closing
    assert (await job_of(ctx, account.id, job_id)).removed == 3


async def test_a_contact_that_is_deleted_during_the_job_leaves_the_list(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    items = [contact(1, name="First"), {"phone": phone(1), "age": 7}, contact(2)]
    job = await start(ctx, account.id, items, operation=OVERWRITE, list_id=list_id)
    await job.apply(1, 0, 2)
    await delete(ctx, account.id, 1)
    await job.finish()
    assert await members_of(ctx, "list", list_id) == {await id_of(ctx, account.id, n) for n in (2, LAST)}
    await assert_consistent(ctx)
