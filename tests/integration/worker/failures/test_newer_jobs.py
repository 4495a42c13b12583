"""A job of a newer release that was rolled back waits, without blame, and delays no other account."""

import pytest

from storage.context import Context
from tests.factories import contact, make_account, make_job
from tests.workers import drain, job_of
from worker.turn import take_turn

CHUNK = "SELECT state, deaths FROM chunks WHERE job_id = $1"
FAILURES = "SELECT failures FROM jobs WHERE id = $1"
CHANGES = {
    "an operation": "operation = 'contacts.fly'",
    "a parameter": """params = '{"wings": 2}'""",
}


@pytest.mark.parametrize("item_limit", [0, 1_000])
@pytest.mark.parametrize("what", CHANGES)
async def test_a_job_of_a_newer_release_waits_and_delays_no_other(
    ctx: Context, what: str, item_limit: int
) -> None:
    strange, other = [await make_account(ctx, item_limit=item_limit) for _ in range(2)]
    newer = await make_job(ctx, strange.id, [contact(1)])
    job_id = await make_job(ctx, other.id, [contact(1)])
    await ctx.pool.execute(f"UPDATE jobs SET {CHANGES[what]} WHERE id = $1", newer)
    await take_turn(ctx)
    assert (await job_of(ctx, other.id, job_id)).state == "completed"
    assert [tuple(row) for row in await ctx.pool.fetch(CHUNK, newer)] == [("ready", 0)]
    assert await ctx.pool.fetchval(FAILURES, newer) == 1
    assert not ctx.held
    await ctx.pool.execute(
        "UPDATE jobs SET operation = 'contacts.upsert', params = '{}', retry_at = NULL WHERE id = $1", newer
    )
    await drain(ctx)
    assert (await job_of(ctx, strange.id, newer)).state == "completed"
