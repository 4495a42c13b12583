"""The work of a worker, done in the test's process in a fixed order."""

from schemas.ids import AccountId, JobId
from storage.context import Context
from storage.pipeline import finish
from storage.pipeline.split import unsplit
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn

# Jobs whose windows do not throttle them.
DUE = """
SELECT count(*) FROM jobs JOIN account_turns t USING (account_id)
WHERE state IN ('queued', 'running') AND t.ready_at <= t.throttled_at
"""


async def work(ctx: Context) -> None:
    """Split, apply and finish all accepted jobs, and run the dry runs, until no job is left that may run."""
    while await ctx.pool.fetchval(DUE):
        await work_once(ctx)


async def work_once(ctx: Context) -> None:
    """Do what can be done now."""
    for account_id, job_id in await unsplit(ctx.pool):
        await split_job(ctx, account_id, job_id)
    await take_turn(ctx)
    await dry_run_next(ctx)
    for account_id, job_id in await finish.unended(ctx.pool):
        await finish_if_last(ctx, account_id, job_id)


async def split(ctx: Context) -> None:
    """Split all jobs that are not split."""
    for account_id, job_id in await unsplit(ctx.pool):
        await split_job(ctx, AccountId(account_id), JobId(job_id))


async def stored(ctx: Context) -> dict[str, str | None]:
    """Return the names of all contacts by phone."""
    rows = await ctx.pool.fetch("SELECT phone, name FROM contacts ORDER BY phone")
    return {row["phone"]: row["name"] for row in rows}
