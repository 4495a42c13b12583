"""Changes over REST are recorded while a job of contacts is unfinished, and no longer."""

import asyncio
import json
from typing import Any

from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import cancellation
from tests.factories import contact, make_account, make_job, phone
from tests.integration.worker.stepwise import OUT_OF_ORDER, change, create, row_of, start
from tests.waiting import until
from tests.workers import barred, drain, job_of, waiting_backends
from worker.finish import finish_if_last
from worker.prune import prune
from worker.turn import take_turn


async def recorded(ctx: Context) -> list[Any]:
    """Return the fields of all recorded changes."""
    rows = await ctx.pool.fetch("SELECT fields::text FROM contact_changes ORDER BY applied")
    return [json.loads(row["fields"]) for row in rows]


async def test_a_change_is_recorded_while_a_job_of_contacts_is_unfinished(ctx: Context) -> None:
    account = await make_account(ctx)
    await create(ctx, account.id, 1, name="Before")
    await change(ctx, account.id, 1, name="Alone")
    assert await recorded(ctx) == []
    job = await start(ctx, account.id, [contact(1, name="First")])
    await change(ctx, account.id, 1, name="Mine", metadata={"a": 1, "b": None}, opted_out=True)
    await change(ctx, account.id, 1, opted_out=False)
    assert await recorded(ctx) == [{"name": "Mine", "metadata": {"a": 1, "b": None}}]
    await job.apply(0)
    await job.finish()
    assert await recorded(ctx) == []


async def test_the_end_of_another_job_keeps_the_recorded_changes(ctx: Context) -> None:
    account = await make_account(ctx)
    job = await start(ctx, account.id, [contact(1, name="First"), contact(1, name="Last")])
    await job.apply(*OUT_OF_ORDER)
    await change(ctx, account.id, 1, name="Mine")
    behind = await make_job(ctx, account.id, [contact(1)])
    await cancellation.cancel(ctx.pool, account.id, behind)
    await finish_if_last(ctx, account.id, behind)
    params = JobParams(region="US", preference="mute_all")
    items = [{"phone": phone(1)}]
    other = await make_job(ctx, account.id, items, operation=Operation.PREFERENCES_SET, params=params)
    await take_turn(ctx)
    for ended in (behind, other):
        assert (await job_of(ctx, account.id, ended)).finished_at is not None
    assert await recorded(ctx) == [{"name": "Mine"}]
    await job.finish()
    assert (await row_of(ctx, account.id, 1)).fields["name"] == "Mine"
    assert await recorded(ctx) == []


async def test_a_change_that_waits_for_a_chunk_of_a_new_job_is_recorded(
    ctx: Context, crew: list[Context]
) -> None:
    """The change begins before the job is accepted, and gets its lock on the contact after a chunk of it."""
    account = await make_account(ctx)
    await create(ctx, account.id, 1)
    async with barred(ctx, "SELECT FROM contacts FOR UPDATE"):
        changing = asyncio.create_task(change(ctx, account.id, 1, name="Mine"))
        await until(lambda: waiting_backends(ctx))
        await make_job(ctx, account.id, [contact(1)])
    await changing
    assert await recorded(ctx) == [{"name": "Mine"}]
    await drain(crew[0])
    assert await recorded(ctx) == []


async def test_changes_that_no_job_needs_are_pruned(ctx: Context) -> None:
    busy, idle = await make_account(ctx), await make_account(ctx)
    await start(ctx, busy.id, [contact(1)])
    for account in (busy, idle):
        await ctx.pool.execute("INSERT INTO contact_changes VALUES ($1, 1, 1, '{}')", account.id)
    await prune(ctx)
    (row,) = await ctx.pool.fetch("SELECT account_id FROM contact_changes")
    assert row["account_id"] == busy.id
