"""Images are deleted UNDO_DAYS after the end of their job, single changes UNDO_DAYS after they were made."""

from datetime import timedelta

import pytest

from schemas.callers import Caller, CallerKind
from schemas.ids import AccountId, JobId
from schemas.settings import Settings
from storage import pruning
from storage.context import Context
from storage.entities import contacts
from storage.postgres.transactions import transaction
from tests.factories import contact, make_account, make_contacts, make_job
from tests.workers import drain, open_worker
from worker import prune

DAY = timedelta(days=1)
CALLER = Caller(kind=CallerKind.KEY, key_id="key_1", request_id="req_1")


async def test_images_are_kept_for_undo_days_from_the_end_of_their_job_on(ctx: Context) -> None:
    account = await make_account(ctx)
    ended = {days: await _changing_job(ctx, account.id) for days in (1, 6, 8, 20)}
    unended = await _changing_job(ctx, account.id)
    await _age(ctx, unended, 20)
    await ctx.pool.execute("UPDATE jobs SET state = 'running', finished_at = NULL WHERE id = $1", unended)
    for days, job_id in ended.items():
        await _age(ctx, job_id, 20)
        ago = days * DAY
        await ctx.pool.execute(
            "UPDATE jobs SET finished_at = now() - $2::interval WHERE id = $1", job_id, ago
        )
    await prune.prune(ctx)
    assert await _jobs_with_images(ctx) == {ended[1], ended[6], unended}


async def test_pruning_goes_on_behind_images_that_stay(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await make_account(ctx)
    jobs = [await _changing_job(ctx, account.id) for n in range(3)]
    for job_id in jobs:
        await _age(ctx, job_id, 20)
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '20 days' WHERE id = $1", jobs[2])
    monkeypatch.setattr(pruning, "IMAGES", 1)
    await prune.prune(ctx)
    assert await _jobs_with_images(ctx) == set(jobs[:2])


async def test_without_undo_days_what_is_left_is_deleted(ctx: Context, settings: Settings) -> None:
    account = await make_account(ctx)
    await _changing_job(ctx, account.id)
    await _change_singly(ctx, account.id)
    async with open_worker(settings.model_copy(update={"undo_days": 0})) as worker:
        await prune.prune(worker)
    assert await _jobs_with_images(ctx) == set()
    assert await ctx.pool.fetchval("SELECT count(*) FROM single_changes") == 0


async def test_a_job_is_deleted_with_its_images(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await _changing_job(ctx, account.id)
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '90 days' WHERE id = $1", job_id)
    await prune.WORK["jobs"](ctx)
    assert await _jobs_with_images(ctx) == set()


async def test_single_changes_are_kept_for_undo_days(ctx: Context) -> None:
    account = await make_account(ctx)
    for _ in range(2):
        await _change_singly(ctx, account.id)
    await ctx.pool.execute("UPDATE single_changes SET at = now() - interval '8 days' WHERE new = '\"0\"'")
    await prune.prune(ctx)
    left = await ctx.pool.fetch("SELECT new FROM single_changes")
    assert [row["new"] for row in left] == ['"1"']


async def _changing_job(ctx: Context, account_id: AccountId) -> JobId:
    """Run a job that changes a new contact."""
    number = await _count(ctx)
    await make_contacts(ctx, account_id, [number])
    job_id = await make_job(ctx, account_id, [contact(number, name="Bo")])
    await drain(ctx)
    assert job_id in await _jobs_with_images(ctx)
    return job_id


async def _count(ctx: Context) -> int:
    count: int = await ctx.pool.fetchval("SELECT count(*) FROM contacts")
    return count


async def _change_singly(ctx: Context, account_id: AccountId) -> None:
    """Create a contact, and name it after the number of the contacts before, as a request does."""
    count = await _count(ctx)
    (contact_id,) = await make_contacts(ctx, account_id, [count])
    async with transaction(ctx.pool) as conn:
        assert await contacts.change(conn, account_id, contact_id, {"name": str(count)}, by=CALLER)


async def _age(ctx: Context, job_id: JobId, days: int) -> None:
    await ctx.pool.execute(
        "UPDATE before_images SET at = at - $2::interval WHERE job_id = $1", job_id, days * DAY
    )


async def _jobs_with_images(ctx: Context) -> set[JobId]:
    return {row["job_id"] for row in await ctx.pool.fetch("SELECT job_id FROM before_images")}
