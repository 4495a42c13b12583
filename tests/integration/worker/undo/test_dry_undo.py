"""A dry run of an undo says what the undo would do."""

from schemas.operations import JobParams, Operation
from storage.context import Context
from tests.factories import contact, make_job
from tests.integration.worker.small_jobs import make_tenant
from tests.integration.worker.undo.making import make_undo
from tests.workers import counts_of, drain, job_of
from worker.dry_run import dry_run_next


async def test_a_dry_run_brings_deleted_contacts_back(ctx: Context) -> None:
    tenant = await make_tenant(ctx)
    await make_job(ctx, tenant.id, [contact(n) for n in range(3)])
    await drain(ctx)
    deletion = await make_job(
        ctx, tenant.id, [{"phone": contact(n)["phone"]} for n in range(3)],
        operation=Operation.CONTACTS_DELETE, params=JobParams(region="US"),
    )  # fmt: skip
    await drain(ctx)
    undone = await make_undo(ctx, tenant.id, deletion, dry_run=True)
    assert undone is not None
    assert await dry_run_next(ctx)
    assert counts_of(await job_of(ctx, tenant.id, undone)) == {"created": 3}
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 0
