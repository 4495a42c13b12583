"""Applying chunks: effect, answers and state commit together, once."""

from storage import jobs
from storage.context import Context
from tests.factories import contact, make_account, make_job
from worker.turn import take_turn


async def test_a_job_is_applied_and_ends(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(2500)])
    await take_turn(ctx)
    (job,) = await jobs.views(ctx.pool, account.id, [job_id])
    assert (job["state"], job["created"], job["total"]) == ("completed", 2500, 2500)
