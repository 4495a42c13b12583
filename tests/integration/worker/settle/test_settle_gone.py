"""A contact that was deleted, an opt-out and a removed membership stay so when the job is settled."""

import pytest

from schemas.operations import Operation
from schemas.states import Outcome
from storage.context import Context
from storage.entities import opt_ins
from storage.postgres.transactions import transaction
from tests.factories import contact, make_account, make_channel, make_list
from tests.integration.worker.job_runs import assert_consistent, members_of
from tests.integration.worker.stepwise import IN_ORDER, OUT_OF_ORDER, create, delete, id_of, row_of, start
from tests.workers import counts_of, job_of, results_of


@pytest.mark.parametrize("order", [IN_ORDER, OUT_OF_ORDER])
async def test_a_deleted_contact_is_not_created_again(ctx: Context, order: tuple[int, ...]) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    job = await start(
        ctx, account.id, [contact(1), contact(1)], operation=Operation.LISTS_OVERWRITE, list_id=list_id
    )
    await job.apply(*order)
    contact_id = await id_of(ctx, account.id, 1)
    await delete(ctx, account.id, 1)
    await job.finish()
    assert await id_of(ctx, account.id, 1) is None
    results = await results_of(ctx, account.id, job.job_id)
    assert [result.outcome for result in results] == [Outcome.MERGED, Outcome.CREATED, Outcome.CREATED]
    assert [result.contact_id for result in results][:2] == [contact_id] * 2
    assert counts_of(await job_of(ctx, account.id, job.job_id)) == {"created": 2, "merged": 1}
    await assert_consistent(ctx)


@pytest.mark.parametrize("order", [IN_ORDER, OUT_OF_ORDER])
async def test_a_contact_that_a_client_created_anew_is_left_alone(
    ctx: Context, order: tuple[int, ...]
) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    items = [contact(1, name="First"), contact(1, name="Last")]
    job = await start(ctx, account.id, items, operation=Operation.LISTS_ADD, list_id=list_id)
    await job.apply(*order)
    await delete(ctx, account.id, 1)
    contact_id = await create(ctx, account.id, 1, name="Mine")
    await job.finish()
    row = await row_of(ctx, account.id, 1)
    assert (row.id, row.fields["name"]) == (contact_id, "Mine")
    assert contact_id not in await members_of(ctx, "list", list_id)


async def test_items_of_a_deleted_contact_do_not_reach_the_one_that_a_later_chunk_creates(
    ctx: Context,
) -> None:
    account = await make_account(ctx)
    job = await start(ctx, account.id, [contact(1, name="First"), contact(1, name="Last", age=7)])
    await job.apply(1)
    await delete(ctx, account.id, 1)
    await job.apply(0)
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert (fields["name"], fields["age"]) == ("First", None)
    results = await results_of(ctx, account.id, job.job_id)
    assert [result.outcome for result in results] == [Outcome.CREATED] * 3


@pytest.mark.parametrize("order", [IN_ORDER, OUT_OF_ORDER])
async def test_an_opt_out_of_the_contact_itself_stays(ctx: Context, order: tuple[int, ...]) -> None:
    account = await make_account(ctx)
    list_id, channel = await make_list(ctx, account.id), await make_channel(ctx, account.id)
    job = await start(
        ctx, account.id, [contact(1, name="First"), contact(1, name="Last")],
        operation=Operation.LISTS_ADD, list_id=list_id, channels=(channel,), override_opt_outs=True,
    )  # fmt: skip
    await job.apply(*order)
    contact_id = await id_of(ctx, account.id, 1)
    assert contact_id is not None
    async with transaction(ctx.pool) as conn:
        await opt_ins.put(conn, account.id, contact_id, channel, opted_in=False, by_contact=True)
    await job.finish()
    (row,) = await opt_ins.page(ctx.pool, account.id, contact_id, after=None, size=9)
    assert (row.opted_in, row.by_contact) == (False, True)
    assert (await row_of(ctx, account.id, 1)).fields["name"] == "Last"


@pytest.mark.parametrize("order", [IN_ORDER, OUT_OF_ORDER])
async def test_a_membership_that_was_removed_since_stays_removed(
    ctx: Context, order: tuple[int, ...]
) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    items = [contact(1, name="First"), contact(1, name="Last")]
    job = await start(ctx, account.id, items, operation=Operation.LISTS_ADD, list_id=list_id)
    await job.apply(*order)
    await ctx.pool.execute("DELETE FROM memberships")
    await job.finish()
    assert await members_of(ctx, "list", list_id) == {await id_of(ctx, account.id, 9_999)}
