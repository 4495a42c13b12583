"""The step of the deliveries to webhooks: queued by jobs, taken in, leased, recorded, freed."""

from schemas.webhooks.event_types import DeliveryState
from schemas.webhooks.verdicts import Verdict
from storage.pipeline import turns
from storage.pipeline.leases import new_tokens
from storage.pipeline.turns import Throttled
from storage.webhooks import endpoints, sending
from tests.factories import make_job, phone
from tests.integration.plans.growing_world import Sessions
from tests.webhooks import EVERY, SECRET
from tests.workers import claim
from worker.apply import apply_chunk
from worker.claim import claim_chunks
from worker.finish import finish_if_last
from worker.together import apply_together

NAMES = ("steady", "in-order")
FORGET = (  # what the calls of the routes have left: each pass would find more
    "DELETE FROM webhooks WHERE account_id = $1 AND id LIKE 'wh_%'",
    "DELETE FROM webhook_deliveries WHERE account_id = $1 AND state = 'new'",
)
ATTEMPT = '{"at": "2026-01-01T00:00:00Z", "status": 500, "error": null, "milliseconds": 1, "answer": ""}'


async def webhook_deliveries(at: Sessions) -> None:
    """End jobs and throttle one, for two webhooks, and deliver; then switch the webhooks off."""
    pool, account_id = at.ctx.pool, at.world.account.id
    for statement in FORGET:
        await pool.execute(statement, account_id)
    for name in NAMES:
        fields = {
            "url": "https://example.com", "events": EVERY, "ordered": name == "in-order", "description": None
        }  # fmt: skip
        await endpoints.create(pool, account_id, name, fields, secret=SECRET)
        await endpoints.change(pool, account_id, name, {"state": "on"})
    job_id = await make_job(at.ctx, account_id, [{"phone": phone(1)}])
    async with pool.acquire() as conn, conn.transaction():
        for _ in range(2):  # the second time, the episode goes on
            await turns.throttle(conn, [Throttled(account_id, job_id, 0.0)])
    await pool.execute("UPDATE account_turns SET ready_at = throttled_at WHERE account_id = $1", account_id)
    await apply_chunk(at.ctx, await claim(at.ctx))
    await finish_if_last(at.ctx, account_id, job_id)
    await make_job(at.ctx, account_id, [{"phone": phone(2)}])
    assert await apply_together(at.ctx, await claim_chunks(at.ctx))
    await sending.follow_clock(pool)
    await sending.take_in(pool)
    held = await sending.claim(pool, new_tokens(10), [])
    assert held
    await sending.renew(pool, held)
    retried = Verdict(state=DeliveryState.WAITING, delay_seconds=3600)
    for delivery in held[1:]:
        assert await sending.record(pool, delivery, retried, ATTEMPT) is None
    await pool.execute(
        "UPDATE webhook_deliveries SET lease_until = now() - interval '1 h' WHERE state = 'sending'"
    )
    assert await sending.free(pool, await sending.expired(pool)) == 1
    (again,) = await sending.claim(pool, new_tokens(1), [])
    own = again.webhook_id in NAMES  # those of the routes stay on
    await sending.record(pool, again, Verdict(state=DeliveryState.FAILED, gone=own), ATTEMPT)
    for name in NAMES:
        await endpoints.change(pool, account_id, name, {"state": "off"})
        # the crowd of growth.sql stays
        await pool.execute(
            """DELETE FROM webhook_deliveries
               WHERE account_id = $1 AND webhook_id = $2 AND number >= $3""",
            account_id, name, min(delivery.number for delivery in held),
        )  # fmt: skip
