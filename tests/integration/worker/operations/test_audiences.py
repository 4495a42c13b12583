"""audiences.add: the contacts that are in the audience after the job."""

from schemas.operations import JobParams, Operation
from storage.context import Context
from tests.factories import make_account, make_audience, make_contacts, make_job, phone
from tests.integration.worker.job_runs import assert_consistent, members_of, run, run_job, words_of
from tests.workers import claim, drain, job_of, results_of
from worker.apply import apply_chunk

ADD = Operation.AUDIENCES_ADD


async def test_contacts_are_added_once_and_unknown_ones_fail(ctx: Context) -> None:
    account = await make_account(ctx)
    audience_id = await make_audience(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(3))
    items = [ids[0], {"phone": phone(0)}, ids[1], 999_999]
    job_id, results = await run_job(ctx, account.id, ADD, items, audience_id=audience_id)
    assert words_of(results) == ["merged", "updated", "updated", ("failed", "contact_not_found")]
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.added, job.removed) == ("completed_with_errors", 2, 0)
    results = await run(ctx, account.id, ADD, ids, audience_id=audience_id)
    assert words_of(results) == ["unchanged", "unchanged", "updated"]
    assert await members_of(ctx, "audience", audience_id) == set(ids)
    await assert_consistent(ctx)


async def test_parallel_chunks_add_each_contact_once(ctx: Context, crew: list[Context]) -> None:
    account = await make_account(ctx)
    audience_id = await make_audience(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(30))
    job_id, results = await run_job(
        ctx, account.id, ADD, ids * 4, audience_id=audience_id, chunk_items=9, parallel=8, workers=crew
    )
    assert words_of(results) == ["merged"] * 90 + ["updated"] * 30
    assert (await job_of(ctx, account.id, job_id)).added == 30
    await assert_consistent(ctx)


async def test_every_item_fails_if_the_audience_was_deleted(ctx: Context) -> None:
    account = await make_account(ctx)
    audience_id = await make_audience(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(2))
    params = JobParams(audience_id=audience_id)
    job_id = await make_job(ctx, account.id, [*ids, "nobody"], operation=ADD, params=params)
    held = await claim(ctx)
    await ctx.pool.execute("DELETE FROM audiences")
    await apply_chunk(ctx, held)
    await drain(ctx)
    assert words_of(await results_of(ctx, account.id, job_id)) == [("failed", "target_gone")] * 3
    assert await members_of(ctx, "audience", audience_id) == set()
