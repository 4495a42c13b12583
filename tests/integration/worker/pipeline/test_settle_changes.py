"""What a client changes over REST after an item was applied stays when the job is settled."""

import asyncio
import json
from typing import Any

import pytest

from schemas.operations import JobParams, Operation
from schemas.states import Outcome
from storage.context import Context
from storage.entities import channels, opt_ins
from storage.pipeline import cancellation
from storage.postgres.transactions import transaction
from tests.factories import contact, make_account, make_channel, make_job, make_list, make_property, phone
from tests.integration.worker.job_runs import assert_consistent, members_of
from tests.integration.worker.stepwise import change, create, delete, id_of, row_of, start
from tests.waiting import until
from tests.workers import barred, counts_of, drain, job_of, results_of, versions, waiting_backends
from worker.finish import finish_if_last
from worker.reconcile import prune
from worker.turn import take_turn

IN_ORDER, OUT_OF_ORDER = (0, 1), (1, 0)


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


async def test_a_channel_is_set_as_the_last_item_wants(ctx: Context) -> None:
    account = await make_account(ctx)
    early, late = await make_channel(ctx, account.id), await make_channel(ctx, account.id)
    items = [contact(1, default_channel_id=str(early)), contact(1, default_channel_id=str(late))]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await job.finish()
    assert (await row_of(ctx, account.id, 1)).fields["default_channel_id"] == late


async def test_a_job_that_was_applied_in_order_rewrites_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    job = await start(ctx, account.id, [contact(1, name="First"), contact(1, name="Last")])
    await job.apply(*IN_ORDER)
    before = await versions(ctx, account.id)
    await job.finish()
    after = await versions(ctx, account.id)
    assert {id_: after[id_] for id_ in before} == before
    assert counts_of(await job_of(ctx, account.id, job.job_id)) == {"created": 2, "merged": 1}


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


NUMBERS: list[Any] = [1, 1.0, 1e30, 0.1, -0.0, 2**70, 1.5e-7]


@pytest.mark.parametrize("number", NUMBERS)
async def test_numbers_are_compared_as_they_are_stored(ctx: Context, number: float) -> None:
    account = await make_account(ctx)
    await make_property(ctx, account.id, "n", "number")
    items = [
        contact(1, metadata={"x": [number]}, properties={"n": number}),
        contact(1, metadata={"x": ["last"]}, properties={"n": 7}),
    ]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert (fields["metadata"], fields["properties"]) == ({"x": ["last"]}, {"n": 7})


async def test_a_property_that_is_not_defined_any_more_is_left_alone(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_property(ctx, account.id, "n", "number")
    items = [contact(1, properties={"n": 1}, age=1), contact(1, properties={"n": 2}, age=2)]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await ctx.pool.execute("DELETE FROM property_definitions")
    await job.finish()
    fields = (await row_of(ctx, account.id, 1)).fields
    assert (fields["properties"], fields["age"]) == ({"n": 1}, 2)


async def test_a_correction_that_breaks_a_limit_fails_the_last_item(ctx: Context) -> None:
    account = await make_account(ctx)
    big = {f"k{n}": "x" * 15_000 for n in range(4)}
    items: list[dict[str, Any]] = [
        *({"phone": phone(1), "metadata": {key: value}} for key, value in big.items()),
        contact(1, metadata={"other": "y" * 15_000}),
        contact(2, name="First"),
        contact(2, name="Last"),
    ]
    items[0]["metadata"] |= {"other": "small"}
    job = await start(ctx, account.id, items)
    await job.apply(4, 0, 1, 2, 3, 6, 5)
    await job.finish()
    metadata = (await row_of(ctx, account.id, 1)).fields["metadata"]
    assert metadata == big | {"other": "small"}
    assert (await row_of(ctx, account.id, 2)).fields["name"] == "Last"
    results = await results_of(ctx, account.id, job.job_id)
    assert [result.outcome for result in results[:5]] == [Outcome.MERGED] * 4 + [Outcome.FAILED]
    assert (results[4].code, results[0].merged_into) == ("metadata_too_large", 4)
    counts = counts_of(await job_of(ctx, account.id, job.job_id))
    assert counts == {"created": 2, "merged": 5, "failed": 1}


async def test_a_cancelled_job_is_settled_too(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [contact(1, name="First"), contact(1, name="Last"), contact(1, name="Never")]
    job = await start(ctx, account.id, items)
    await job.apply(*OUT_OF_ORDER)
    await cancellation.cancel(ctx.pool, account.id, job.job_id)
    await finish_if_last(ctx, account.id, job.job_id)
    assert (await row_of(ctx, account.id, 1)).fields["name"] == "Last"
    counts = counts_of(await job_of(ctx, account.id, job.job_id))
    assert counts == {"created": 1, "merged": 1, "cancelled": 2}


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
