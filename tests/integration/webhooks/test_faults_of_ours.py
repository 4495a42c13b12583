"""Errors of ours, and what happens to jobs and clocks, are none of the endpoint's."""

from prometheus_client import CollectorRegistry

from schemas import metrics
from schemas.ids import AccountId
from schemas.webhooks.event_types import DeliveryState
from schemas.webhooks.verdicts import Verdict
from storage.context import Context
from storage.pipeline.leases import new_tokens
from storage.webhooks import deliveries, endpoints, sending
from tests.factories import make_account, make_job, phone
from tests.page_counts import counting
from tests.receiver import Receiver
from tests.webhooks import all_ended, deliveries_of, make_webhook
from tests.workers import drain, open_worker
from worker.webhooks.deliver import FAULT, JOB_GONE, LAST_FAULT, delivering

ATTEMPT = '{"at": "2026-01-01T00:00:00Z", "status": 500, "error": null, "milliseconds": 1, "answer": ""}'
UNKNOWN = "UPDATE webhook_deliveries SET event = 'job.of_a_newer_release' WHERE number = $1"
KNOWN = "UPDATE webhook_deliveries SET event = 'job.completed' WHERE number = $1"


def faults() -> float:
    """Return how many errors of ours were counted."""
    registry = CollectorRegistry()
    registry.register(metrics.DELIVERY_FAULTS)
    return registry.get_sample_value("bulklane_delivery_faults_total") or 0


async def run_jobs(ctx: Context, account_id: AccountId, count: int) -> None:
    for number in range(count):
        await make_job(ctx, account_id, [{"phone": phone(number)}])
        await drain(ctx)


async def blameless(ctx: Context, account_id: AccountId) -> bool:
    """Return whether nothing counts against the endpoint."""
    hook = await endpoints.get(ctx.pool, account_id, "hook")
    assert hook is not None
    return (hook.failures, hook.failing_since, hook.state) == (0, None, "on")


async def test_a_message_that_cannot_be_made_fails_in_the_end_and_blames_nobody(
    ctx: Context, receiver: Receiver
) -> None:
    account, before = await make_account(ctx), faults()
    await make_webhook(ctx, account.id, receiver.url(), ordered=True)
    await run_jobs(ctx, account.id, 2)
    _, broken = await deliveries_of(ctx, account.id)
    await ctx.pool.execute(UNKNOWN, broken.number)
    async with delivering(ctx):
        await all_ended(ctx, account.id)
        delivered, failed = await deliveries_of(ctx, account.id)
        retries = len(ctx.settings.webhook_retry_seconds)
        assert [row["error"] for row in failed.attempts] == [*[FAULT] * retries, LAST_FAULT]
        assert (failed.state, delivered.state) == ("failed", "delivered")
        assert faults() - before == retries + 1
        assert await blameless(ctx, account.id)
        await ctx.pool.execute(KNOWN, broken.number)  # the next release has mended it
        assert await deliveries.replay(ctx.pool, account.id, "hook", broken.id)
        await receiver.wait(2)
        await all_ended(ctx, account.id)
    assert [row.state for row in await deliveries_of(ctx, account.id)] == ["delivered"] * 2


async def test_a_job_that_is_deleted_before_its_message_blames_nobody(
    ctx: Context, receiver: Receiver
) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    await run_jobs(ctx, account.id, 1)
    await ctx.pool.execute("DELETE FROM jobs WHERE account_id = $1", account.id)
    async with delivering(ctx):
        await all_ended(ctx, account.id)
    (gone,) = await deliveries_of(ctx, account.id)
    assert [row["error"] for row in gone.attempts] == [JOB_GONE]
    assert gone.state == "failed"
    assert await blameless(ctx, account.id)


async def test_a_clock_that_is_set_back_delays_no_attempt(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, "https://example.com")
    await run_jobs(ctx, account.id, 3)
    await sending.take_in(ctx.pool)
    first, second, _ = await sending.claim(ctx.pool, new_tokens(3), [])
    for delivery, delay in ((first, 0.0), (second, 5000.0)):
        retried = Verdict(state=DeliveryState.WAITING, delay_seconds=delay)
        await sending.record(ctx.pool, delivery, retried, ATTEMPT)
    assert await sending.follow_clock(ctx.pool) is None
    for table, column in (("rounds", "begun_at"), ("webhooks", "due_at"), ("webhook_deliveries", "due_at")):
        await ctx.pool.execute(f"UPDATE {table} SET {column} = {column} + interval '1 hour'")
    assert await sending.claim(ctx.pool, new_tokens(3), []) == []
    step = await sending.follow_clock(ctx.pool)
    assert step is not None
    assert 3500 < step <= 3600
    assert await sending.follow_clock(ctx.pool) is None, "a step counts once"
    # what is due may be due a moment later: so much as the clock went on between the last look and the step
    await ctx.pool.execute("UPDATE webhooks SET due_at = due_at - interval '100 s'")
    await ctx.pool.execute("UPDATE webhook_deliveries SET due_at = due_at - interval '100 s'")
    assert [row.number for row in await sending.claim(ctx.pool, new_tokens(3), [])] == [first.number]


async def test_a_round_of_pruning_does_not_read_what_waits_for_a_webhook_that_is_off(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, "https://example.com")
    await ctx.pool.execute(
        """INSERT INTO webhook_deliveries (account_id, webhook_id, event, state, ended_at, created_at)
           SELECT $1, 'hook', 'webhook.test', s, CASE s WHEN 'delivered' THEN now() END,
               now() - make_interval(days => d)
           FROM (VALUES ('waiting', 8, 20000), ('delivered', 8, 10), ('waiting', 15, 10)) v (s, d, n)
           CROSS JOIN LATERAL generate_series(1, v.n)""",
        account.id,
    )
    assert ctx.settings.database_url is not None
    async with open_worker(ctx.settings, size=1) as worker, counting(ctx.settings.database_url) as counter:
        await worker.pool.execute("SET pg_stat_statements.track = 'all'")
        async with counter.step("prune"):
            await sending.prune(worker.pool, 7)
    assert await ctx.pool.fetchval("SELECT count(*) FROM webhook_deliveries") == 20_000
    pages = [pages for (_, text), pages in counter.read.items() if "DELETE FROM webhook_deliveries" in text]
    assert pages
    assert max(pages) < 200, "20,000 rows have more pages"
