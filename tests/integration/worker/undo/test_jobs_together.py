"""Jobs that share a transaction: the undo of one keeps what the others have done."""

from schemas.operations import JobParams, Operation
from storage.context import Context
from tests.factories import contact, make_job
from tests.integration.worker.images.turning_back import state_of
from tests.integration.worker.small_jobs import make_tenant
from tests.integration.worker.undo.making import make_undo
from tests.workers import drain
from worker.claim import claim_chunks
from worker.together import apply_together


async def test_a_contact_that_came_back_and_changed_in_one_transaction_stays(ctx: Context) -> None:
    tenant = await make_tenant(ctx)
    await make_job(ctx, tenant.id, [contact(1, name="Ana")])
    await drain(ctx)
    deletion = await make_job(
        ctx, tenant.id, [{"phone": contact(1)["phone"]}],
        operation=Operation.CONTACTS_DELETE, params=JobParams(region="US"),
    )  # fmt: skip
    await drain(ctx)
    undone = await make_undo(ctx, tenant.id, deletion)
    assert undone is not None
    await make_job(ctx, tenant.id, [contact(1, name="Bo")])
    assert await apply_together(ctx, await claim_chunks(ctx))
    await make_undo(ctx, tenant.id, undone)
    await drain(ctx)
    (found,) = (await state_of(ctx, tenant.id)).values()
    assert found["name"] == "Bo"
