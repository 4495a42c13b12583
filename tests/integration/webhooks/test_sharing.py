"""Workers share themselves among webhooks: no dead endpoint and no large replay holds up others."""

import asyncio

from aiohttp import web

from schemas.ids import AccountId
from schemas.webhooks.event_types import TEST, DeliveryState
from schemas.webhooks.verdicts import Verdict
from storage.context import Context
from storage.pipeline.leases import new_tokens
from storage.webhooks import deliveries, sending
from storage.webhooks.sending import LeasedDelivery
from tests.factories import make_account
from tests.receiver import Received, Receiver
from tests.waiting import until
from tests.webhooks import deliveries_of, make_webhook
from tests.workers import open_worker, waiting_backends
from worker.webhooks.deliver import STATEMENTS, Courier, delivering
from worker.webhooks.poster import Poster

ATTEMPT = '{"at": "2026-01-01T00:00:00Z", "status": 500, "error": null, "milliseconds": 1, "answer": ""}'
FAILED = Verdict(state=DeliveryState.WAITING)
DELIVERED = Verdict(state=DeliveryState.DELIVERED)


async def claim(ctx: Context) -> list[LeasedDelivery]:
    return await sending.claim(ctx.pool, new_tokens(10), [])


async def queue_many(ctx: Context, account_id: AccountId, count: int) -> None:
    """Queue messages as a replay does."""
    await ctx.pool.execute(
        """INSERT INTO webhook_deliveries (account_id, webhook_id, event)
           SELECT $1, 'hook', $2 FROM generate_series(1, $3::int)""",
        account_id, TEST, count,
    )  # fmt: skip


async def test_an_endpoint_that_is_down_gets_one_message_at_a_time(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, "http://127.0.0.1:1/")
    await queue_many(ctx, account.id, 12)
    await sending.take_in(ctx.pool)
    for _ in range(2):
        held = await claim(ctx)
        assert len(held) == sending.PARALLEL
        for delivery in held:
            await sending.record(ctx.pool, delivery, FAILED, ATTEMPT)
    (alone,) = await claim(ctx)
    assert await claim(ctx) == []
    assert await ctx.pool.fetchval("SELECT due_at FROM webhooks") is None, "no claim looks at it again"
    await sending.record(ctx.pool, alone, DELIVERED, ATTEMPT)
    assert len(await claim(ctx)) == sending.PARALLEL


async def test_webhooks_that_may_send_no_more_delay_none_behind_them(ctx: Context) -> None:
    busy, other = await make_account(ctx), await make_account(ctx)
    names = [f"busy-{number}" for number in range(15)]
    for name in names:
        await make_webhook(ctx, busy.id, "http://127.0.0.1:1/", name)
    for _ in range(sending.PARALLEL):
        for name in names:
            await deliveries.queue_test(ctx.pool, busy.id, name)
        await sending.take_in(ctx.pool)
        assert len(await sending.claim(ctx.pool, new_tokens(len(names)), [])) == len(names)
    for name in names:
        await deliveries.queue_test(ctx.pool, busy.id, name)
    await sending.take_in(ctx.pool)
    await make_webhook(ctx, other.id, "http://127.0.0.1:1/")
    await queue_many(ctx, other.id, 1)
    await sending.take_in(ctx.pool)
    assert [delivery.account_id for delivery in await claim(ctx)] == [other.id]


async def test_attempts_leave_the_connections_of_the_pool_to_chunks(ctx: Context, receiver: Receiver) -> None:
    release = asyncio.Event()

    async def answer(_: Received) -> web.StreamResponse:
        await release.wait()
        return web.Response(status=204)

    receiver.answer = answer
    account, names = await make_account(ctx), ("a", "b", "c", "d")
    for name in names:
        await make_webhook(ctx, account.id, receiver.url(), name)
        for _ in range(sending.PARALLEL):
            await deliveries.queue_test(ctx.pool, account.id, name)
    async with (
        open_worker(ctx.settings, size=STATEMENTS + 1) as worker,
        Poster(worker.settings) as poster,
    ):
        courier = Courier(worker, poster)
        await courier.take()
        await receiver.wait(len(names) * sending.PARALLEL, taken=False)
        async with ctx.pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT FROM webhooks FOR UPDATE")
            release.set()
            await receiver.wait(len(names) * sending.PARALLEL)
            await until(lambda: _many_wait(ctx))
            async with asyncio.timeout(10):
                assert await worker.pool.fetchval("SELECT 1") == 1
        await courier.end()
    for name in names:
        assert {row.state for row in await deliveries_of(ctx, account.id, name)} == {"delivered"}


async def _many_wait(ctx: Context) -> bool:
    return len(await waiting_backends(ctx)) >= STATEMENTS


async def test_a_large_replay_of_one_account_delays_no_other(ctx: Context, receiver: Receiver) -> None:
    first, second = await make_account(ctx), await make_account(ctx)
    await make_webhook(ctx, first.id, "http://127.0.0.1:1/")
    await make_webhook(ctx, second.id, receiver.url())
    await queue_many(ctx, first.id, 10_000)
    await deliveries.queue_test(ctx.pool, second.id, "hook")
    async with delivering(ctx):
        await receiver.wait(1)
        left = await ctx.pool.fetchval("SELECT count(*) FROM webhook_deliveries WHERE state = 'new'")
    assert left > 0, "the message arrives before the whole replay is taken in"
