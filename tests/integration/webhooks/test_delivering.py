"""Workers deliver the ends of jobs: signed, retried, in order where asked for, each account by itself."""

import asyncio

from aiohttp import web
from standardwebhooks import Webhook

from schemas.ids import AccountId, JobId, show_job_id
from schemas.webhooks.signature import show_secret
from storage.context import Context
from storage.webhooks import deliveries, endpoints
from tests.factories import make_account, make_job, phone
from tests.receiver import Received, Receiver, fine
from tests.waiting import until
from tests.webhooks import SECRET, all_ended, deliveries_of, make_webhook
from tests.workers import drain
from worker.webhooks.deliver import delivering


async def run_jobs(ctx: Context, account_id: AccountId, count: int) -> list[JobId]:
    """Run jobs of one item each, in one stream; return their ids in order."""
    ids = [await make_job(ctx, account_id, [{"phone": phone(n)}]) for n in range(count)]
    await drain(ctx)
    return ids


def failing(times: int, status: int = 500, **headers: str) -> "FailingFirst":
    return FailingFirst(times, status, headers)


class FailingFirst:
    """Fails the first attempts of each message."""

    def __init__(self, times: int, status: int, headers: dict[str, str]) -> None:
        self._times = times
        self._status = status
        self._headers = headers
        self._seen: dict[str, int] = {}

    async def __call__(self, attempt: Received) -> web.StreamResponse:
        seen = self._seen[attempt.id] = self._seen.get(attempt.id, 0) + 1
        if seen <= self._times:
            return web.Response(status=self._status, text="not now", headers=self._headers)
        return web.Response(status=200, text="thanks")


async def test_the_end_of_a_job_arrives_with_the_job(ctx: Context, receiver: Receiver) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    async with delivering(ctx):
        (job_id,) = await run_jobs(ctx, account.id, 1)
        (attempt,) = await receiver.wait(1)
        await all_ended(ctx, account.id)
    message = attempt.json
    assert message["type"] == "job.completed"
    assert message["data"]["id"] == show_job_id(job_id)
    assert message["data"]["state"] == "completed"
    assert message["data"]["counts"]["created"] == 1
    assert attempt.headers["content-type"] == "application/json"
    (delivery,) = await deliveries_of(ctx, account.id)
    assert [(row["status"], row["answer"]) for row in delivery.attempts] == [(204, "")]
    assert delivery.state == "delivered"


async def test_a_message_is_retried_with_its_id_until_it_is_taken(ctx: Context, receiver: Receiver) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    receiver.answer = failing(2)
    async with delivering(ctx):
        await run_jobs(ctx, account.id, 3)
        await receiver.wait(3)
        await all_ended(ctx, account.id)
    for delivery in await deliveries_of(ctx, account.id):
        assert [row["status"] for row in delivery.attempts] == [500, 500, 200]
        assert [row["answer"] for row in delivery.attempts] == ["not now", "not now", "thanks"]
    assert len({attempt.id for attempt in receiver.received}) == 3
    hook = await endpoints.get(ctx.pool, account.id, "hook")
    assert hook is not None
    assert (hook.failures, hook.failing_since) == (0, None)


async def test_a_message_that_is_never_taken_fails_and_can_be_sent_again(
    ctx: Context, receiver: Receiver
) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    receiver.answer = failing(4)
    async with delivering(ctx):
        await run_jobs(ctx, account.id, 2)
        await all_ended(ctx, account.id)
        failed = await deliveries_of(ctx, account.id)
        assert [(row.state, len(row.attempts)) for row in failed] == [("failed", 4), ("failed", 4)]
        count = await deliveries.replay_failed(ctx.pool, account.id, "hook", failed[0].created_at)
        ctx.webhook_bell.set()
        await receiver.wait(2)
        await all_ended(ctx, account.id)
    assert count == 2
    again = await deliveries_of(ctx, account.id)
    assert [(row.state, len(row.attempts)) for row in again] == [("delivered", 5), ("delivered", 5)]
    assert {attempt.id for attempt in receiver.taken} == {attempt.id for attempt in receiver.received}


async def test_an_ordered_webhook_gets_one_message_at_a_time_in_order(
    ctx: Context, receiver: Receiver
) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url(), ordered=True)
    receiver.answer = failing(1)
    async with delivering(ctx):
        ids = await run_jobs(ctx, account.id, 20)
        taken = await receiver.wait(20, seconds=30)
    assert [attempt.json["data"]["id"] for attempt in taken] == [show_job_id(job_id) for job_id in ids]
    assert receiver.most_busy["/hook"] == 1


async def test_a_slow_endpoint_holds_few_attempts_and_delays_no_other_account(
    ctx: Context, receiver: Receiver
) -> None:
    slow, quick = await make_account(ctx), await make_account(ctx)
    await make_webhook(ctx, slow.id, receiver.url("/slow"))
    await make_webhook(ctx, quick.id, receiver.url("/quick"))
    release = asyncio.Event()

    async def answer(attempt: Received) -> web.StreamResponse:
        if attempt.path == "/slow":
            await release.wait()
        return web.Response(status=200)

    receiver.answer = answer
    async with delivering(ctx):
        await run_jobs(ctx, slow.id, 30)
        await receiver.wait(4, taken=False)
        await run_jobs(ctx, quick.id, 5)
        await receiver.wait(5)
        assert receiver.busy["/slow"] == 4
        release.set()
        await receiver.wait(35)
    assert receiver.most_busy["/slow"] == 4


async def test_an_endpoint_that_is_gone_is_switched_off(ctx: Context, receiver: Receiver) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url(), ordered=True)
    receiver.answer = failing(1, status=410)
    async with delivering(ctx):
        await run_jobs(ctx, account.id, 1)
        await all_ended(ctx, account.id)
        hook = await endpoints.get(ctx.pool, account.id, "hook")
        assert hook is not None
        assert (hook.state, hook.off_reason) == ("off", "gone")
        await run_jobs(ctx, account.id, 1)  # no message is queued while it is off
        assert len(await deliveries_of(ctx, account.id)) == 1
        receiver.answer = fine
        await endpoints.change(ctx.pool, account.id, "hook", {"state": "on"})
        await run_jobs(ctx, account.id, 1)
        await receiver.wait(1)
    assert len(receiver.received) == 2


async def test_an_endpoint_that_has_failed_for_days_is_switched_off(ctx: Context, receiver: Receiver) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    receiver.answer = failing(100)
    await ctx.pool.execute("UPDATE webhooks SET failing_since = now() - interval '6 days', failures = 5")
    async with delivering(ctx):
        await run_jobs(ctx, account.id, 1)
        await all_ended(ctx, account.id)
        hook = await endpoints.get(ctx.pool, account.id, "hook")
        assert hook is not None
        assert (hook.state, hook.failures) == ("on", 9)  # too few failures to tell
        await run_jobs(ctx, account.id, 1)
        await receiver.wait(5, taken=False)

        async def off() -> bool:
            hook = await endpoints.get(ctx.pool, account.id, "hook")
            return hook is not None and hook.off_reason == "failing"

        await until(off)


async def test_redirects_and_silence_are_failures(ctx: Context, receiver: Receiver) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url("/moved"))
    receiver.answer = failing(1, status=307, Location=receiver.url("/elsewhere"))
    async with delivering(ctx):
        await run_jobs(ctx, account.id, 1)
        await receiver.wait(1)
        await all_ended(ctx, account.id)
    assert {attempt.path for attempt in receiver.received} == {"/moved"}
    (delivery,) = await deliveries_of(ctx, account.id)
    assert [row["status"] for row in delivery.attempts] == [307, 200]


async def test_an_attempt_and_its_answer_are_bounded(ctx: Context, receiver: Receiver) -> None:
    settings = ctx.settings.model_copy(update={"webhook_seconds": 0.3})
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    release = asyncio.Event()

    async def answer(attempt: Received) -> web.StreamResponse:
        if len(receiver.received) == 1:
            await release.wait()
        return web.Response(status=200, text="é" * 100_000)

    receiver.answer = answer
    object.__setattr__(ctx, "settings", settings)
    async with delivering(ctx):
        await run_jobs(ctx, account.id, 1)
        await receiver.wait(1)
        await all_ended(ctx, account.id)
        release.set()
    (delivery,) = await deliveries_of(ctx, account.id)
    first, second = delivery.attempts
    assert (first["status"], first["error"]) == (None, "no answer within 0.3 s")
    assert second["answer"] == "é" * 512


async def test_while_a_secret_rotates_both_sign(ctx: Context, receiver: Receiver) -> None:
    account = await make_account(ctx)
    await make_webhook(ctx, account.id, receiver.url())
    new = b"f" * 32
    await endpoints.rotate(ctx.pool, account.id, "hook", secret=new)
    async with delivering(ctx):
        await run_jobs(ctx, account.id, 1)
        (attempt,) = await receiver.wait(1)
    assert len(attempt.headers["webhook-signature"].split()) == 2
    for secret in (SECRET, new):
        verify(attempt, show_secret(secret))


def verify(attempt: Received, secret: str) -> None:
    """Verify a message as a receiver does; raises WebhookVerificationError."""
    assert Webhook(secret).verify(attempt.body, attempt.headers) == attempt.json
