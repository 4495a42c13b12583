"""Cancel: pending items are cancelled, applied items stay, and every item has a result."""

import pytest

from schemas.operations import JobParams, Operation
from schemas.states import JobState, Outcome
from storage.context import Context
from storage.pipeline import cancellation, split, uploads
from storage.pipeline.uploads import Received
from tests.factories import contact, make_account, make_job, make_list, phone
from tests.integration.worker.cancelling import cancel, make_parts, new_job, outcomes_of
from tests.waiting import until
from tests.workers import (
    bells,
    claim,
    claim_chunk,
    counts_of,
    drain,
    job_of,
    serving,
    unfinished,
)
from worker import split as splitter
from worker.apply import apply_chunk
from worker.split import split_job


async def test_all_items_of_a_queued_job_are_cancelled_and_the_next_job_runs(ctx: Context) -> None:
    account = await make_account(ctx)
    first = await make_job(ctx, account.id, [contact(n) for n in range(7)], chunk_items=3)
    second = await make_job(ctx, account.id, [contact(100)])
    await cancel(ctx, account.id, first)
    job = await job_of(ctx, account.id, first)
    assert (job.state, counts_of(job), job.total) == ("cancelled", {"cancelled": 7}, 7)
    assert (job.started_at, job.finished_at is None) == (None, False)
    assert await outcomes_of(ctx, account.id, first) == ["cancelled"] * 7
    assert set(await bells(ctx)) == {"work"}
    await drain(ctx)
    assert counts_of(await job_of(ctx, account.id, second)) == {"created": 1}
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 1


@pytest.mark.parametrize("parts", [0, 1, 2])
async def test_all_items_of_an_unsplit_job_are_counted(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=3, items=1_500)
    with monkeypatch.context() as patch:
        patch.setattr(splitter, "SPLIT_SECONDS", -1.0)  # one part at a time
        for _ in range(parts):
            await split_job(ctx, account.id, job_id)
    await cancel(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.total, counts_of(job)) == ("cancelled", 4_500, {"cancelled": 4_500})
    assert await outcomes_of(ctx, account.id, job_id) == ["cancelled"] * 4_500
    assert await unfinished(ctx) == 0


async def test_the_reconciler_has_a_cancelled_unsplit_job_split(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_parts(ctx, account.id, parts=2, items=10)
    assert await cancellation.cancel(ctx.pool, account.id, job_id) is not None
    assert await split.unsplit(ctx.pool) == [(account.id, job_id)]
    async with serving(ctx):
        await ctx.queue.ring_split(account.id, job_id)
        await until(lambda: _ended(ctx))
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"cancelled": 20}


async def _ended(ctx: Context) -> bool:
    return await unfinished(ctx) == 0


async def test_an_upload_is_cancelled_at_once_and_its_parts_are_deleted(ctx: Context) -> None:
    account = await make_account(ctx)
    job = new_job(account.id)
    await uploads.open_job(ctx.pool, job)
    await uploads.add_part(ctx.pool, account.id, job.id, 0, b"{}")
    standing = await cancellation.cancel(ctx.pool, account.id, job.id)
    assert standing is not None
    assert standing.state is JobState.CANCELLED
    row = await job_of(ctx, account.id, job.id)
    assert (row.state, row.total, counts_of(row)) == ("cancelled", 0, {})
    assert row.finished_at is not None
    assert await ctx.pool.fetchval("SELECT idempotency_key IS NULL FROM jobs")
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0
    await uploads.add_part(
        ctx.pool, account.id, job.id, 1, b"{}"
    )  # the api process that receives the body does not know of the cancellation
    async with ctx.pool.acquire() as conn, conn.transaction():
        assert not await uploads.accept(
            conn, job, Received(layout=None, parallel=1, parts=2, size=4, total=None)
        )
    await uploads.drop_parts(ctx.pool, account.id, job.id)
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0
    assert await claim_chunk(ctx) is None


async def test_a_throttled_job_ends_at_once_and_the_next_one_does_not_wait(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=1_000, window_seconds=3600)
    params = JobParams(label_id=1)
    await make_job(ctx, account.id, [contact(n) for n in range(900)])
    await drain(ctx)
    thrown = await make_job(
        ctx, account.id, [{"phone": phone(n)} for n in range(500)],
        operation=Operation.LABELS_ATTACH, params=params,
    )  # fmt: skip
    small = await make_job(
        ctx, account.id, [{"phone": phone(n)} for n in range(50)],
        operation=Operation.LABELS_ATTACH, params=params,
    )  # fmt: skip
    assert await claim_chunk(ctx) is None
    assert (await job_of(ctx, account.id, thrown)).throttled_until is not None
    await cancel(ctx, account.id, thrown)
    job = await job_of(ctx, account.id, thrown)
    assert (job.state, job.throttled_until, counts_of(job)) == ("cancelled", None, {"cancelled": 500})
    assert (await claim(ctx)).job_id == small


async def test_a_partly_cancelled_job_is_settled_without_its_closing_step(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    params, overwrite = JobParams(list_id=list_id), Operation.LISTS_OVERWRITE
    await make_job(ctx, account.id, [contact(0), contact(1)], operation=overwrite, params=params)
    await drain(ctx)
    items = [contact(1, name="Ana"), contact(1, name="Bo"), contact(2)]
    job_id = await make_job(ctx, account.id, items, operation=overwrite, params=params, chunk_items=1)
    claims = [await claim(ctx) for _ in range(2)]
    for one in reversed(claims):
        await apply_chunk(ctx, one)
    await cancel(ctx, account.id, job_id)
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"merged": 1, "updated": 1, "cancelled": 1}
    assert (job.added, job.removed) == (0, 0)
    rows = await ctx.pool.fetch(
        """SELECT c.phone, c.name FROM memberships m JOIN contacts c ON c.id = m.contact_id
           ORDER BY c.phone"""
    )
    assert [tuple(row) for row in rows] == [(phone(0), "Name 0"), (phone(1), "Bo")]


async def test_cancelling_again_changes_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    for _ in range(3):
        await cancel(ctx, account.id, job_id)
        assert counts_of(await job_of(ctx, account.id, job_id)) == {"cancelled": 1}
    assert await ctx.pool.fetchval("SELECT pending FROM streams") == 0


async def test_cancel_does_not_change_an_ended_job(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    await drain(ctx)
    before = await ctx.pool.fetchrow("SELECT * FROM jobs")
    standing = await cancellation.cancel(ctx.pool, account.id, job_id)
    assert standing is not None
    assert standing.state is JobState.COMPLETED
    assert await ctx.pool.fetchrow("SELECT * FROM jobs") == before


async def test_an_account_cannot_cancel_the_job_of_another(ctx: Context) -> None:
    account, other = await make_account(ctx), await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    assert await cancellation.cancel(ctx.pool, other.id, job_id) is None
    await drain(ctx)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 1}


async def test_the_sql_of_cancel_uses_the_codes_of_outcomes() -> None:
    assert (Outcome.MERGED, Outcome.SKIPPED, Outcome.CANCELLED) == (4, 5, 7)
