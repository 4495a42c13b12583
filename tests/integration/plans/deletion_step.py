"""The steps that delete: pruning."""

from tests.factories import make_job, phone
from tests.integration.plans.growing_world import Sessions
from tests.workers import claim
from worker.apply import apply_chunk
from worker.prune import prune


async def pruning(at: Sessions) -> None:
    """Prune everything, of the account one job that is old."""
    job_id = await make_job(at.ctx, at.world.account.id, [{"phone": phone(1)}])
    await apply_chunk(at.ctx, await claim(at.ctx))
    await at.ctx.pool.execute(
        "UPDATE jobs SET finished_at = now() - interval '90 days' WHERE account_id = $1 AND id = $2",
        at.world.account.id,
        job_id,
    )
    await prune(at.ctx)
