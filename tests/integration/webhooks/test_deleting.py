"""A webhook is deleted while its account, and others, have messages to send."""

import asyncio

from storage.context import Context
from storage.webhooks import endpoints
from tests.factories import make_account, make_job, phone
from tests.receiver import Receiver
from tests.waiting import until
from tests.webhooks import make_webhook
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


async def _arrived(receiver: Receiver, path: str) -> bool:
    return any(attempt.path == path for attempt in receiver.received)
