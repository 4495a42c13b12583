"""Undos of jobs that meet what random jobs rarely meet."""

from typing import Any
from uuid import uuid4

from schemas.operations import Operation
from storage.context import Context
from storage.entities import audiences, channels, labels, opt_ins
from tests.factories import (
    contact,
    make_account,
    make_audience,
    make_channel,
    make_contacts,
    make_job,
    make_label,
    make_list,
    phone,
)
from tests.integration.worker.images.turning_back import state_of
from tests.integration.worker.job_runs import assert_consistent, run_job, words_of
from tests.integration.worker.undo.making import make_undo
from tests.workers import drain, results_of
from worker.claim import claim_chunks
from worker.dry_run import dry_run_next
from worker.together import apply_together

UPSERT, DELETE = Operation.CONTACTS_UPSERT, Operation.CONTACTS_DELETE
KEPT = "kept_changed_since"


async def undone(ctx: Context, account_id: Any, job: Any, **options: Any) -> list[Any]:
    undo = await make_undo(ctx, account_id, job, **options)
    assert undo is not None
    await drain(ctx)
    await assert_consistent(ctx)
    return await results_of(ctx, account_id, undo)


async def test_a_contact_that_the_next_small_job_has_changed_is_kept(ctx: Context) -> None:
    account = await make_account(ctx)
    first = await make_job(ctx, account.id, [contact(1)])
    await make_job(ctx, account.id, [contact(1, name="Of the second job")])
    assert await apply_together(ctx, await claim_chunks(ctx))
    (result,) = await undone(ctx, account.id, first)
    assert (result.outcome.word, result.code, result.fields) == ("skipped", KEPT, ["contact"])
    assert await ctx.pool.fetchval("SELECT name FROM contacts") == "Of the second job"
    assert words_of(await undone(ctx, account.id, first, force=True)) == ["updated"]
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_phones_that_went_from_contact_to_contact_go_back(ctx: Context) -> None:
    account = await make_account(ctx)
    for n in range(6):
        await make_contacts(ctx, account.id, [n], external_id=f"e{n}")
    before = await state_of(ctx, account.id)
    moves = [(5, 6), *((n, n + 1) for n in reversed(range(5))), (0, 9), (1, 0), (0, 1)]
    items = [{"phone": phone(to), "external_id": f"e{n}"} for n, to in moves]
    job, _ = await run_job(ctx, account.id, UPSERT, items, chunk_items=2, parallel=1)
    after = await state_of(ctx, account.id)
    results = await undone(ctx, account.id, job, chunk_items=2)
    assert {result.outcome.word for result in results} == {"updated"}
    assert await state_of(ctx, account.id) == before
    assert after != before


async def test_what_belongs_to_deleted_owners_is_told(ctx: Context) -> None:
    account = await make_account(ctx)
    kept, gone = await make_channel(ctx, account.id, uuid4()), await make_channel(ctx, account.id, uuid4())
    label_id, audience_id = await make_label(ctx, account.id), await make_audience(ctx, account.id)
    list_id = await make_list(ctx, account.id)
    (id_,) = await make_contacts(ctx, account.id, [1], default_channel_id=gone, name="Ana")
    await run_job(ctx, account.id, Operation.LABELS_ATTACH, [id_], label_id=label_id)
    await run_job(ctx, account.id, Operation.AUDIENCES_ADD, [id_], audience_id=audience_id)
    items = [{"phone": phone(1)}]
    await run_job(ctx, account.id, Operation.LISTS_ADD, items, list_id=list_id, channels=(kept, gone))
    before = (await state_of(ctx, account.id))[id_]
    job, _ = await run_job(ctx, account.id, DELETE, [id_], parallel=1)
    assert await labels.delete(ctx.pool, account.id, label_id)
    assert await audiences.delete(ctx.pool, account.id, audience_id)
    assert await channels.delete(ctx.pool, account.id, gone)
    (result,) = await undone(ctx, account.id, job)
    assert (result.outcome.word, result.code) == ("created", KEPT)
    told = [name.partition(":")[0] for name in result.fields or ()]
    assert told == ["audience", "channel", "default_channel_id", "label"]
    found = (await state_of(ctx, account.id))[id_]
    lost = {f"label:{label_id}", f"audience:{audience_id}", f"channel:{gone}"}
    assert found == {name: value for name, value in before.items() if name not in lost} | {
        "default_channel_id": None
    }


async def test_a_created_contact_that_got_a_label_since_is_kept_but_not_in_the_list(ctx: Context) -> None:
    account = await make_account(ctx)
    label_id, list_id = await make_label(ctx, account.id), await make_list(ctx, account.id)
    job, (result,) = await run_job(ctx, account.id, Operation.LISTS_ADD, [contact(1)], list_id=list_id)
    await run_job(ctx, account.id, Operation.LABELS_ATTACH, [{"phone": phone(1)}], label_id=label_id)
    (told,) = await undone(ctx, account.id, job)
    assert (told.outcome.word, told.code, told.fields) == ("updated", KEPT, ["contact"])
    (stored,) = (await state_of(ctx, account.id)).values()
    assert [name for name in stored if ":" in name] == [f"label:{label_id}"]
    assert result.contact_id == told.contact_id


async def test_the_own_opt_out_of_a_contact_stays_even_with_force_and_in_a_redo(ctx: Context) -> None:
    account = await make_account(ctx)
    channel, list_id = await make_channel(ctx, account.id, uuid4()), await make_list(ctx, account.id)
    ids = await make_contacts(ctx, account.id, [1, 2])
    items = [{"phone": phone(1)}, {"phone": phone(2)}]
    job, _ = await run_job(ctx, account.id, Operation.LISTS_ADD, items, list_id=list_id, channels=(channel,))
    for own in ids:  # the second round is the redo
        async with ctx.pool.acquire() as conn, conn.transaction():
            await opt_ins.put(conn, account.id, own, channel, opted_in=False, by_contact=True)
        before = (await state_of(ctx, account.id))[own][f"channel:{channel}"]
        undo = await make_undo(ctx, account.id, job, force=True)
        assert undo is not None
        await drain(ctx)
        told = {one.contact_id: (one.code, one.fields) for one in await results_of(ctx, account.id, undo)}
        assert {one for one in told if told[one] == (KEPT, [f"channel:{channel}"])} == {own}
        assert (await state_of(ctx, account.id))[own][f"channel:{channel}"] == before
        job = undo


async def test_a_dry_run_of_an_undo_leaves_no_image(ctx: Context) -> None:
    account = await make_account(ctx)
    job, _ = await run_job(ctx, account.id, UPSERT, [contact(1)])
    job, _ = await run_job(ctx, account.id, UPSERT, [contact(1, name="New"), contact(2)])
    images = await ctx.pool.fetchval("SELECT count(*) FROM before_images")
    after = await state_of(ctx, account.id)
    assert await make_undo(ctx, account.id, job, dry_run=True)
    assert await dry_run_next(ctx)
    assert await state_of(ctx, account.id) == after
    assert await ctx.pool.fetchval("SELECT count(*) FROM before_images") == images
