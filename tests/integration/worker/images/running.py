"""Jobs of all operations for a tenant with one resource of each kind."""

import random
from typing import Any

from schemas.ids import JobId
from schemas.operations import JobParams, Operation
from storage.context import Context
from tests.factories import make_job, make_property, phone
from tests.integration.worker.small_jobs import Tenant, make_tenant
from tests.integration.worker.upserts import PROPERTIES, sparse_item
from tests.workers import drain

CONTACTS = 12
UPSERTS = (
    Operation.CONTACTS_UPSERT,
    Operation.LISTS_ADD,
    Operation.LISTS_REMOVE,
    Operation.LISTS_OVERWRITE,
)


async def make_filled_tenant(ctx: Context, draw: random.Random) -> Tenant:
    """Create a tenant with properties, contacts, memberships, opt-ins and opt-outs."""
    tenant = await make_tenant(ctx)
    for name, (type_, _) in PROPERTIES.items():
        await make_property(ctx, tenant.id, name, type_)
    for operation in (Operation.LISTS_ADD, Operation.LABELS_ATTACH, Operation.AUDIENCES_ADD):
        await run_job(ctx, tenant, operation, random_items(draw, operation))
    await ctx.pool.execute("UPDATE opt_ins SET opted_in = false WHERE contact_id % 2 = 0")
    return tenant


def random_items(draw: random.Random, operation: Operation) -> list[dict[str, Any]]:
    """Return random items, some of which name the same contacts, move phones, or clear fields."""
    if operation not in UPSERTS:
        return [{"phone": phone(number)} for number in draw.choices(range(CONTACTS), k=CONTACTS)]
    items = [sparse_item(draw, CONTACTS) for _ in range(CONTACTS)]
    for item in items:
        if draw.random() < 0.4:
            item["external_id"] = draw.choice("uvwxyz")
    return items


async def submit_job(
    ctx: Context, tenant: Tenant, operation: Operation, items: list[dict[str, Any]], **options: Any
) -> JobId:
    """Make a job."""
    params = JobParams(
        region="US",
        list_id=tenant.list_id,
        label_id=tenant.label_id,
        audience_id=tenant.audience_id,
        channels=(tenant.channel_id,),
        preference="sms",
    )
    return await make_job(ctx, tenant.id, items, operation=operation, params=params, **options)


async def run_job(
    ctx: Context, tenant: Tenant, operation: Operation, items: list[dict[str, Any]], **options: Any
) -> JobId:
    """Make a job and run it to its end."""
    job_id = await submit_job(ctx, tenant, operation, items, **options)
    await drain(ctx)
    return job_id
