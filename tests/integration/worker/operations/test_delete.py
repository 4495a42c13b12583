"""contacts.delete deletes contacts with their memberships and opt-ins."""

from schemas.operations import Operation
from storage.context import Context
from tests.factories import (
    make_account,
    make_audience,
    make_channel,
    make_contacts,
    make_job,
    make_label,
    make_list,
    phone,
)
from tests.integration.worker.job_runs import assert_consistent, members_of, run, words_of
from tests.workers import claim, claim_chunk, drain, expire_leases, results_of, versions
from worker.apply import apply_chunk
from worker.reconcile import reconcile

DELETE = Operation.CONTACTS_DELETE


async def test_contacts_are_deleted_with_their_memberships_and_opt_ins(ctx: Context) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(5))
    label_id, list_id = await make_label(ctx, account.id), await make_list(ctx, account.id)
    audience_id = await make_audience(ctx, account.id)
    channel_id = await make_channel(ctx, account.id)
    await run(ctx, account.id, Operation.LABELS_ATTACH, ids, label_id=label_id)
    await run(ctx, account.id, Operation.AUDIENCES_ADD, ids, audience_id=audience_id)
    phones = [{"phone": phone(n)} for n in range(5)]
    await run(ctx, account.id, Operation.LISTS_ADD, phones, list_id=list_id, channels=(channel_id,))
    results = await run(ctx, account.id, DELETE, ids[:3], parallel=1)
    assert words_of(results) == ["updated"] * 3
    assert [result.contact_id for result in results] == ids[:3]
    assert set(await versions(ctx, account.id)) == set(ids[3:])
    for kind, owner_id in (("label", label_id), ("audience", audience_id), ("list", list_id)):
        assert await members_of(ctx, kind, owner_id) == set(ids[3:])
    assert await ctx.pool.fetchval("SELECT count(*) FROM opt_ins") == 2
    await assert_consistent(ctx)


async def test_a_deleted_contact_is_merged_in_its_chunk_and_unknown_in_the_next(ctx: Context) -> None:
    account = await make_account(ctx)
    (one,) = await make_contacts(ctx, account.id, [1])
    items = [one, {"phone": phone(1)}, one]
    results = await run(ctx, account.id, DELETE, items, chunk_items=2, parallel=1)
    assert words_of(results) == ["merged", "updated", ("failed", "contact_not_found")]


async def test_a_deleted_contact_can_be_created_again(ctx: Context) -> None:
    account = await make_account(ctx)
    (one,) = await make_contacts(ctx, account.id, [1], external_id="e1", name="Ana")
    await run(ctx, account.id, DELETE, [one], parallel=1)
    (created,) = await run(ctx, account.id, Operation.CONTACTS_UPSERT, [{"phone": phone(1)}])
    assert created.outcome.word == "created"
    assert created.contact_id != one
    assert await ctx.pool.fetchval("SELECT name FROM contacts") is None


async def test_deletes_and_upserts_take_effect_in_the_order_they_were_accepted(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    for n in range(6):
        items = [{"phone": phone(k), "name": f"Job {n}"} for k in range(20)]
        await make_job(ctx, account.id, items, chunk_items=6)
        if n < 5:
            phones = [{"phone": phone(k)} for k in range(20)]
            await make_job(ctx, account.id, phones, operation=DELETE, chunk_items=6, parallel=1)
    await drain(*crew)
    rows = await ctx.pool.fetch("SELECT name, count(*) FROM contacts GROUP BY name")
    assert [tuple(row) for row in rows] == [("Job 5", 20)]
    assert await ctx.pool.fetchval("SELECT count(*) FROM jobs WHERE failed > 0") == 0


async def test_a_delete_that_is_retried_after_a_crash_is_applied_once(ctx: Context) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(4))
    job_id = await make_job(ctx, account.id, ids, operation=DELETE, parallel=1)
    stale = await claim(ctx)
    await expire_leases(ctx)
    await reconcile(ctx)
    await apply_chunk(ctx, stale)
    assert set(await versions(ctx, account.id)) == set(ids)
    await drain(ctx)
    await apply_chunk(ctx, stale)
    assert words_of(await results_of(ctx, account.id, job_id)) == ["updated"] * 4
    assert await versions(ctx, account.id) == {}


async def test_contacts_of_other_accounts_are_not_deleted(ctx: Context) -> None:
    one, other = await make_account(ctx), await make_account(ctx)
    await make_contacts(ctx, one.id, range(3))
    theirs = await make_contacts(ctx, other.id, range(3))
    before = await versions(ctx, other.id)
    await run(ctx, one.id, DELETE, [*theirs, *({"phone": phone(n)} for n in range(3))], parallel=1)
    assert await versions(ctx, one.id) == {}
    assert await versions(ctx, other.id) == before


async def test_the_window_does_not_cut_a_chunk_of_deletes(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=10)
    ids = await make_contacts(ctx, account.id, range(10))
    await run(ctx, account.id, DELETE, ids[6:], parallel=1)  # 4 of the window's 10 items
    job_id = await make_job(ctx, account.id, [*ids[:6], ids[0]], operation=DELETE, parallel=1)
    assert await claim_chunk(ctx) is None  # the window has room for 6 of the 7 items: the chunk waits
    await ctx.pool.execute("UPDATE accounts SET item_limit = 0")
    await ctx.pool.execute("UPDATE account_turns SET ready_at = now()")
    await drain(ctx)
    assert words_of(await results_of(ctx, account.id, job_id)) == ["merged", *["updated"] * 6]
