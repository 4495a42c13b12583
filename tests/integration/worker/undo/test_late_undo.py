"""An undo that begins in time has the images that it needs until it ends."""

from storage.context import Context
from tests.factories import contact, make_account, make_contacts, make_job, phone
from tests.integration.worker.undo.making import make_undo
from tests.workers import drain
from worker import prune

AGE_IMAGES = "UPDATE before_images SET at = at - interval '8 days'"
AGE_JOB = "UPDATE jobs SET finished_at = finished_at - interval '8 days' WHERE id = $1"
END_LONG_AGO = "UPDATE jobs SET finished_at = now() - interval '90 days' WHERE id = ANY ($1)"
UNDONE = "SELECT array_agg(DISTINCT job_id) FROM before_images"


async def test_images_are_kept_until_an_undo_that_needs_them_has_ended(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [1])
    job = await make_job(ctx, account.id, [contact(1, name="Bo")])
    await drain(ctx)
    undo = await make_undo(ctx, account.id, job)
    await ctx.pool.execute(AGE_IMAGES)
    await ctx.pool.execute(AGE_JOB, job)
    await prune.prune(ctx)
    assert await ctx.pool.fetchval(UNDONE) == [job]
    await drain(ctx)
    assert await ctx.pool.fetchval("SELECT name FROM contacts") is None
    await prune.prune(ctx)
    assert await ctx.pool.fetchval(UNDONE) == [undo]


async def test_a_job_is_kept_until_its_undo_has_ended(ctx: Context) -> None:
    """It is older than the days of its account, which are fewer than those of undos. Others are not kept."""
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [1])
    job = await make_job(ctx, account.id, [contact(1, name="Bo")])
    other = await make_job(ctx, account.id, [contact(2)])
    await drain(ctx)
    undo = await make_undo(ctx, account.id, job)
    await ctx.pool.execute(END_LONG_AGO, [job, other])
    await prune.prune(ctx)
    assert {row["id"] for row in await ctx.pool.fetch("SELECT id FROM jobs")} == {job, undo}
    await drain(ctx)
    assert await ctx.pool.fetchval("SELECT name FROM contacts WHERE phone = $1", phone(1)) is None
    await prune.prune(ctx)
    assert [row["id"] for row in await ctx.pool.fetch("SELECT id FROM jobs")] == [undo]
