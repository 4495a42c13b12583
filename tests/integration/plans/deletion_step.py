"""The steps that delete: pruning, and the deletion of an account."""

from itertools import count

from storage.deletion import account_deletion
from tests.factories import make_account, make_job, phone
from tests.integration.api.owned import fill, left
from tests.integration.api.tenant_rows import OWN
from tests.integration.plans.growing_world import Sessions
from tests.workers import claim
from worker.apply import apply_chunk
from worker.erasing.account_rows import delete_accounts, sweep
from worker.prune import prune

NUMBERS = count(1)


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


async def account_deletions(at: Sessions) -> None:
    """Delete a small account beside large ones, and look for its rows afterwards."""
    account = await make_account(at.ctx, name=f"gone {next(NUMBERS)}")
    await fill(at.ctx, account, OWN)
    await account_deletion.count_rows(at.ctx.pool, account.id)
    assert await account_deletion.begin(at.ctx.pool, account.id)
    await delete_accounts(at.ctx)
    assert await left(at.ctx, account.id) == {}
    await sweep(at.ctx)
    await at.ctx.pool.execute("TRUNCATE deleted_accounts")
