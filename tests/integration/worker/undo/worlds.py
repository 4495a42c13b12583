"""An account with everything that jobs change, random jobs in it, and random changes by others."""

import random
from typing import Any

from schemas.ids import JobId
from schemas.operations import BULK_OPERATIONS, OPERATIONS, JobParams
from storage.context import Context
from storage.entities import contacts, opt_ins
from storage.pipeline.results import ResultRow
from storage.postgres.transactions import transaction
from tests.factories import make_job, make_property, phone
from tests.integration.worker.small_jobs import Tenant, make_tenant
from tests.integration.worker.undo.making import make_undo
from tests.integration.worker.upserts import PROPERTIES, sparse_item
from tests.workers import drain, job_of, results_of

CONTACTS = 6
UPSERTS = [operation for operation in BULK_OPERATIONS if "match_on" in OPERATIONS[operation].takes]


async def make_world(ctx: Context, rng: random.Random) -> Tenant:
    """Create an account, with contacts, members and opt-outs that random jobs have left."""
    tenant = await make_tenant(ctx)
    for name, (type_, _) in PROPERTIES.items():
        await make_property(ctx, tenant.id, name, type_)
    for _ in range(rng.randint(0, 4)):
        await run_random(ctx, rng, tenant)
    await ctx.pool.execute(
        "UPDATE opt_ins SET opted_in = false, by_contact = contact_id % 3 = 0 WHERE contact_id % 2 = 0"
    )
    return tenant


async def run_random(ctx: Context, rng: random.Random, tenant: Tenant) -> JobId:
    """Run a random job to its end: several chunks, with duplicates, nulls and moved phones."""
    operation = rng.choice(BULK_OPERATIONS)
    items: list[dict[str, Any]] = [
        {"phone": phone(rng.randrange(CONTACTS))} for _ in range(rng.randint(1, 8))
    ]
    if operation in UPSERTS:
        items = [sparse_item(rng, CONTACTS) for _ in items]
        if rng.random() < 0.5:
            for item in rng.sample(items, len(items) // 2):
                item["external_id"] = rng.choice("uvw")
    params = JobParams(
        region="US",
        list_id=tenant.list_id,
        label_id=tenant.label_id,
        audience_id=tenant.audience_id,
        channels=(tenant.channel_id,),
        override_opt_outs=rng.random() < 0.5,
        preference=rng.choice(["sms", "none"]),
        match_on=rng.choice(["auto", "phone"]),
    )
    in_order = OPERATIONS[operation].in_order or any("external_id" in item for item in items)
    job = await make_job(
        ctx,
        tenant.id,
        items,
        operation=operation,
        params=params,
        chunk_items=rng.choice([1, 2, 1000]),
        parallel=1 if in_order else 4,
    )
    await drain(ctx)
    return job


async def undo(
    ctx: Context, tenant: Tenant, job: JobId, **options: Any
) -> tuple[JobId | None, list[ResultRow]]:
    """Undo a job. Return the id of the undo, None if there is nothing to undo, and its results."""
    undone = await make_undo(ctx, tenant.id, job, **options)
    if undone is None:
        return None, []
    await drain(ctx)
    results = await results_of(ctx, tenant.id, undone)
    view = await job_of(ctx, tenant.id, undone)
    assert view.total == len(results) == len({result.contact_id or -result.index for result in results})
    return undone, results


async def disturb(ctx: Context, rng: random.Random, tenant: Tenant) -> None:
    """Change, delete and create contacts as others do, over REST and by other jobs."""
    ids = [
        row["id"] for row in await ctx.pool.fetch("SELECT id FROM contacts WHERE account_id = $1", tenant.id)
    ]
    for _ in range(rng.randint(1, 4)):
        step, contact_id = rng.choice(["change", "change", "opt", "delete", "create", "job"]), 0
        if ids:
            contact_id = rng.choice(ids)
        async with transaction(ctx.pool) as conn:
            match step:
                case "change" if ids:
                    fields = sparse_item(rng, 1)
                    del fields["phone"]
                    if rng.random() < 0.3:
                        fields["opted_out"] = True
                    await contacts.change(conn, tenant.id, contact_id, fields)
                case "opt" if contact_id and await contacts.lock_shared(conn, tenant.id, contact_id):
                    await opt_ins.put(
                        conn, tenant.id, contact_id, tenant.channel_id,
                        opted_in=rng.random() < 0.5, by_contact=rng.random() < 0.5,
                    )  # fmt: skip
                case "delete" if ids:
                    await contacts.delete(conn, tenant.id, contact_id)
                case "create":
                    number = rng.randrange(CONTACTS)
                    taken = "SELECT EXISTS (SELECT FROM contacts WHERE account_id = $1 AND phone = $2)"
                    if not await conn.fetchval(taken, tenant.id, phone(number)):
                        await contacts.insert(conn, tenant.id, {"phone": phone(number), "name": "Taken"})
        if step == "job":
            await run_random(ctx, rng, tenant)
