"""What a client changes over REST after an item was applied stays when the job is settled."""

import pytest

from storage.context import Context
from storage.entities import channels
from tests.factories import contact, make_account, make_channel, make_property, phone
from tests.integration.worker.stepwise import IN_ORDER, OUT_OF_ORDER, change, row_of, start


@pytest.mark.parametrize("order", [IN_ORDER, OUT_OF_ORDER])
@pytest.mark.parametrize("name", ["Mine", "First", "Last", None])
async def test_a_change_after_all_items_stays(ctx: Context, order: tuple[int, ...], name: str | None) -> None:
    """Also if the client sets the value that an item has set, or clears the field."""
    account = await make_account(ctx)
    job = await start(ctx, account.id, [contact(1, name="First"), contact(1, name="Last")])
    await job.apply(*order)
    await change(ctx, account.id, 1, name=name)
    await job.finish()
    assert (await row_of(ctx, account.id, 1)).fields["name"] == name


async def test_a_change_to_the_stored_value_stays(ctx: Context) -> None:
    account = await make_account(ctx)
    job = await start(ctx, account.id, [contact(1, name="First"), contact(1, name="Last")])
    await job.apply(*OUT_OF_ORDER)
    assert (await row_of(ctx, account.id, 1)).fields["name"] == "First"
    await change(ctx, account.id, 1, name="First")
    await job.finish()
    assert (await row_of(ctx, account.id, 1)).fields["name"] == "First"


async def test_a_change_between_a_later_and_an_earlier_item_stays(ctx: Context) -> None:
    account = await make_account(ctx)
    job = await start(ctx, account.id, [contact(1, name="First", age=1), contact(1, name="Last")])
    await job.apply(1)
    await change(ctx, account.id, 1, name="Mine")
    await job.apply(0)
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert (fields["name"], fields["age"]) == ("Mine", 1)


async def test_an_item_that_is_applied_after_a_change_in_its_order_wins(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [contact(1, name="First"), contact(1, name="Second"), contact(1, name="Last")]
    job = await start(ctx, account.id, items)
    await job.apply(1)
    await change(ctx, account.id, 1, name="Mine")
    await job.apply(2, 0)
    await job.finish()
    assert (await row_of(ctx, account.id, 1)).fields["name"] == "Last"


async def test_only_the_changed_keys_stay(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_property(ctx, account.id, "n", "number")
    await make_property(ctx, account.id, "m", "number")
    first = contact(1, metadata={"a": 1, "b": 1, "c": 1, "d": 1}, properties={"n": 1, "m": 1}, age=1)
    last = contact(1, metadata={"a": 2, "b": 2, "c": 2, "d": None}, properties={"n": 2, "m": 2}, age=2)
    job = await start(ctx, account.id, [first, last])
    await job.apply(*OUT_OF_ORDER)
    await change(ctx, account.id, 1, metadata={"a": 3, "b": None}, properties={"n": 3})
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert fields["metadata"] == {"a": 3, "c": 2}
    assert fields["properties"] == {"n": 3, "m": 2}
    assert fields["age"] == 2


@pytest.mark.parametrize("changed_by_client", [False, True])
async def test_a_deleted_channel_is_not_set_again(ctx: Context, changed_by_client: bool) -> None:
    account = await make_account(ctx)
    early, late = str(await make_channel(ctx, account.id)), await make_channel(ctx, account.id)
    wanted = late if not changed_by_client else await make_channel(ctx, account.id)
    items = [contact(1, default_channel_id=early), contact(1, default_channel_id=str(late))]
    job = await start(ctx, account.id, items)
    await job.apply(1)
    if changed_by_client:
        await change(ctx, account.id, 1, default_channel_id=wanted)
    await job.apply(0)
    await channels.delete(ctx.pool, account.id, wanted)
    await job.finish()
    assert (await row_of(ctx, account.id, 1)).fields["default_channel_id"] is None


async def test_a_value_that_somebody_else_wrote_stays(ctx: Context) -> None:
    """For example an api of the previous release, which records no change."""
    account = await make_account(ctx)
    items = [contact(1, name="First", age=1), contact(1, name="Last", age=2)]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await ctx.pool.execute("UPDATE contacts SET name = 'Other' WHERE phone = $1", phone(1))
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert (fields["name"], fields["age"]) == ("Other", 2)
