"""A webhook is deleted while its account, and others, have messages to send."""

import asyncio

from storage.context import Context
from storage.pipeline import uploads
from storage.webhooks import endpoints, sending
from tests.factories import make_account, make_job, phone
from tests.integration.webhooks.test_queueing import upload
from tests.receiver import Receiver
from tests.waiting import until
from tests.webhooks import deliveries_of, make_webhook
from tests.workers import drain, waiting_backends
from worker.webhooks.deliver import delivering


async def test_the_deletion_of_a_webhook_delays_no_other_account(ctx: Context, receiver: Receiver) -> None:
    leaving, other = await make_account(ctx), await make_account(ctx)
    for account in (leaving, other):
        await make_webhook(ctx, account.id, receiver.url(f"/{account.id}"))
    await make_job(ctx, leaving.id, [{"phone": phone(1)}])
    await drain(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():  # the deletion takes long
        await conn.execute("SELECT FROM webhook_deliveries WHERE account_id = $1 FOR UPDATE", leaving.id)
        deletion = asyncio.create_task(endpoints.delete(ctx.pool, leaving.id, "hook"))
        await until(lambda: waiting_backends(ctx))
        for account in (leaving, other):
            await make_job(ctx, account.id, [{"phone": phone(2)}])
        await drain(ctx)
        async with delivering(ctx):
            await until(lambda: _arrived(receiver, f"/{other.id}"))
    assert await deletion
    left = "SELECT count(*) FROM webhook_deliveries WHERE account_id = $1"
    assert await ctx.pool.fetchval(left, leaving.id) == 0


async def test_a_job_that_ends_during_the_deletion_is_told_to_no_webhook_of_that_id(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, "https://example.com")
    before, after = [await upload(ctx, account.id) for _ in range(2)]
    async with ctx.pool.acquire() as conn, conn.transaction():
        await uploads.fail(conn, account.id, before, "upload_incomplete", "it broke off")
        assert await endpoints.delete(ctx.pool, account.id, "hook")
        await make_webhook(ctx, account.id, "https://example.com")
    await uploads.fail(ctx.pool, account.id, after, "upload_incomplete", "it broke off")
    await sending.take_in(ctx.pool)
    assert [row.job_id for row in await deliveries_of(ctx, account.id)] == [after]


async def test_a_delivery_that_a_worker_is_changing_is_deleted_too(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, "https://example.com")
    await make_job(ctx, account.id, [{"phone": phone(1)}])
    await drain(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("UPDATE webhook_deliveries SET lease_until = now()")
        some = endpoints.QUERIES.delete_deliveries(ctx.pool, account_id=account.id, id="hook", rows=10)
        deletion = asyncio.ensure_future(some)
        await until(lambda: waiting_backends(ctx))
    assert await deletion == 1
    assert await deliveries_of(ctx, account.id) == []


async def _arrived(receiver: Receiver, path: str) -> bool:
    return any(attempt.path == path for attempt in receiver.received)
