"""What workers count of webhooks, and what an api shows of the deliveries that wait."""

from aiohttp import web
from prometheus_client import CollectorRegistry

from schemas import metrics
from storage.context import Context
from storage.operator import backlog
from storage.webhooks import sending
from tests.factories import make_account, make_job, phone
from tests.receiver import Received, Receiver
from tests.webhooks import all_ended, make_webhook
from tests.workers import drain
from worker.webhooks.deliver import delivering


def counted() -> tuple[float, float]:
    """Return how many attempts were measured, and how many webhooks were switched off by a 410."""
    registry = CollectorRegistry()
    for metric in (metrics.WEBHOOK_DURATION, metrics.WEBHOOKS_OFF):
        registry.register(metric)
    attempts = registry.get_sample_value("bulklane_webhook_attempt_duration_seconds_count")
    gone = registry.get_sample_value("bulklane_webhooks_switched_off_total", {"reason": "gone"})
    return attempts or 0, gone or 0


async def test_attempts_are_measured_until_a_webhook_is_switched_off(
    ctx: Context, receiver: Receiver
) -> None:
    answers = iter((500, 204, 410))

    async def answer(_: Received) -> web.StreamResponse:
        return web.Response(status=next(answers))

    account, receiver.answer, before = await make_account(ctx), answer, counted()
    await make_webhook(ctx, account.id, receiver.url())
    async with delivering(ctx):
        for number in range(2):
            await make_job(ctx, account.id, [{"phone": phone(number)}])
            await drain(ctx)
            await all_ended(ctx, account.id)
    after = counted()  # what was still on its way has ended
    assert (after[0] - before[0], after[1] - before[1]) == (3, 1)


async def test_the_backlog_shows_what_no_worker_delivers(ctx: Context, receiver: Receiver) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    empty = await backlog.read(ctx.pool)
    assert (empty.due_webhooks, empty.oldest_due_seconds) == (0, 0)
    for number in range(2):
        await make_job(ctx, account.id, [{"phone": phone(number)}])
    await drain(ctx)
    await sending.take_in(ctx.pool)
    assert (await backlog.read(ctx.pool)).due_webhooks == 1
    await ctx.pool.execute("UPDATE webhooks SET due_at = now() - interval '1000 s'")
    assert 1000 <= (await backlog.read(ctx.pool)).oldest_due_seconds < 2000
    async with delivering(ctx):
        await all_ended(ctx, account.id)
    found = await backlog.read(ctx.pool)
    assert (found.due_webhooks, found.oldest_due_seconds) == (0, 0)
