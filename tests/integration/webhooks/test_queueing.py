"""Wherever a job ends, one delivery is queued in its transaction, for each webhook that wants to hear."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import storage
from schemas.formats.content_type import Format
from schemas.ids import AccountId, JobId, new_job_id
from schemas.job_errors import JobErrorCode
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import cancellation, jobs, turns, uploads
from storage.pipeline.turns import Throttled
from storage.webhooks import endpoints
from tests.factories import make_account, make_job, phone
from tests.webhooks import deliveries_of, make_webhook
from tests.workers import claim, drain
from worker.apply import apply_chunk
from worker.claim import claim_chunks
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.together import apply_together

GOOD, BAD = {"phone": phone(1)}, {"phone": "12"}
End = Callable[[Context, AccountId], Awaitable[JobId]]


async def end_together(ctx: Context, account_id: AccountId) -> JobId:
    """End a small job with others."""
    job_id = await make_job(ctx, account_id, [GOOD])
    assert await apply_together(ctx, await claim_chunks(ctx))
    return job_id


async def end_together_with_errors(ctx: Context, account_id: AccountId) -> JobId:
    """End a small job with a failed item."""
    job_id = await make_job(ctx, account_id, [GOOD, BAD])
    assert await apply_together(ctx, await claim_chunks(ctx))
    return job_id


async def finish(ctx: Context, account_id: AccountId) -> JobId:
    """Finish a job after its last chunk."""
    job_id = await make_job(ctx, account_id, [GOOD])
    await apply_chunk(ctx, await claim(ctx))
    await finish_if_last(ctx, account_id, job_id)
    return job_id


async def fail_as_a_whole(ctx: Context, account_id: AccountId) -> JobId:
    """Fail a job whose items cannot be applied."""
    job_id = await make_job(ctx, account_id, [GOOD])
    await cancellation.fail_rest(ctx.pool, account_id, job_id, JobErrorCode.FINISH_FAILED)
    await finish_if_last(ctx, account_id, job_id)
    return job_id


async def cancel(ctx: Context, account_id: AccountId) -> JobId:
    """Cancel a job that is queued."""
    job_id = await make_job(ctx, account_id, [GOOD])
    await cancellation.cancel(ctx.pool, account_id, job_id)
    await finish_if_last(ctx, account_id, job_id)
    return job_id


async def dry_run(ctx: Context, account_id: AccountId) -> JobId:
    """End a dry run."""
    job_id = await make_job(ctx, account_id, [GOOD], dry_run=True)
    assert await dry_run_next(ctx)
    return job_id


async def upload(ctx: Context, account_id: AccountId, key: str | None = None) -> JobId:
    """Begin an upload."""
    job = uploads.NewJob(
        account_id=account_id,
        id=new_job_id(),
        operation=Operation.CONTACTS_UPSERT,
        stream="contacts",
        format=Format.NDJSON,
        params=JobParams(),
        parallel=1,
        request_id="req_test",
        idempotency_key=key,
    )
    await uploads.open_job(ctx.pool, job)
    return job.id


async def fail_upload(ctx: Context, account_id: AccountId) -> JobId:
    """Fail an upload."""
    job_id = await upload(ctx, account_id)
    await uploads.fail(ctx.pool, account_id, job_id, "upload_incomplete", "it broke off")
    return job_id


async def cancel_upload(ctx: Context, account_id: AccountId) -> JobId:
    """Cancel an upload."""
    job_id = await upload(ctx, account_id)
    await cancellation.cancel(ctx.pool, account_id, job_id)
    return job_id


async def replace_upload(ctx: Context, account_id: AccountId) -> JobId:
    """Send an upload again whose process has died, under the same key."""
    job_id = await upload(ctx, account_id, key="key")
    await ctx.pool.execute("UPDATE jobs SET lease_until = now() - interval '1 h' WHERE id = $1", job_id)
    await uploads.free_key(ctx.pool, account_id, "key")
    return job_id


ENDS: dict[str, list[End]] = {  # by the statement that ends the job
    "schema/functions/end_small_jobs.sql": [end_together, end_together_with_errors],
    "pipeline/finish.sql end": [finish, fail_as_a_whole, cancel, dry_run],
    "pipeline/uploads.sql fail": [fail_upload],
    "pipeline/uploads.sql fail_expired": [replace_upload],
    "pipeline/cancellation.sql cancel_upload": [cancel_upload],
}


def test_every_statement_that_ends_a_job_is_tried() -> None:
    found = set()
    root = Path(storage.__file__).parent
    for path in root.rglob("*.sql"):
        if "migrations" in path.parts:
            continue
        for statement in re.split(r"^(?=-- name: )", path.read_text(), flags=re.MULTILINE):
            if re.search(r"UPDATE jobs\b[^;]*\bfinished_at = (?!NULL)", statement):
                name = re.match(r"-- name: (\w+)", statement)
                place = path.relative_to(root).as_posix()
                found.add(f"{place} {name[1]}" if name else place)
    assert found == set(ENDS)


@pytest.mark.parametrize("end", [end for ends in ENDS.values() for end in ends], ids=lambda end: end.__name__)
async def test_the_end_of_a_job_queues_one_delivery_for_each_webhook(ctx: Context, end: End) -> None:
    account, other = await make_account(ctx), await make_account(ctx)
    for name in ("a", "b"):
        await make_webhook(ctx, account.id, "https://example.com", name)
    await make_webhook(ctx, other.id, "https://example.com", "a")
    await make_webhook(ctx, account.id, "https://example.com", "other", events=["job.throttled"])
    await make_webhook(ctx, account.id, "https://example.com", "off")
    await endpoints.change(ctx.pool, account.id, "off", {"state": "off"})
    job_id = await end(ctx, account.id)
    state = await jobs.state_of(ctx.pool, account.id, job_id)
    assert state is not None
    assert state.ended
    queued = await ctx.pool.fetch("SELECT account_id, webhook_id, event, job_id FROM webhook_deliveries")
    assert sorted(tuple(row) for row in queued) == [
        (account.id, name, f"job.{state.value}", job_id) for name in ("a", "b")
    ]
    await drain(ctx)
    assert len(await deliveries_of(ctx, account.id, "a")) == 1


async def test_a_job_that_waits_for_its_window_is_told_once_an_episode(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=10, window_seconds=60)
    await make_webhook(ctx, account.id, "https://example.com", events=["job.throttled"])
    job_id = await make_job(ctx, account.id, [GOOD])

    async def throttle() -> int:
        async with ctx.pool.acquire() as conn, conn.transaction():
            await turns.throttle(conn, [Throttled(account.id, job_id, 1.0)])
        await ctx.pool.execute("UPDATE jobs SET throttled_until = NULL")  # as a claim does
        return len(await deliveries_of(ctx, account.id))

    assert [await throttle() for _ in range(3)] == [1, 1, 1]
    await ctx.pool.execute("UPDATE webhook_deliveries SET episode_until = now() - interval '1 ms'")
    assert [await throttle() for _ in range(2)] == [2, 2]
    assert [row.event for row in await deliveries_of(ctx, account.id)] == ["job.throttled"] * 2


async def test_the_jobs_of_a_stream_are_queued_in_their_order(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, "https://example.com")
    ids = [await make_job(ctx, account.id, [{"phone": phone(n)}]) for n in range(8)]
    assert await apply_together(ctx, await claim_chunks(ctx))
    assert [row.job_id for row in await deliveries_of(ctx, account.id)] == ids


async def test_a_job_whose_end_is_rolled_back_is_not_told(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, "https://example.com")
    job_id = await upload(ctx, account.id)
    async with ctx.pool.acquire() as conn:
        undone = conn.transaction()
        await undone.start()
        await uploads.fail(conn, account.id, job_id, "upload_incomplete", "it broke off")
        await undone.rollback()
    assert await deliveries_of(ctx, account.id) == []
