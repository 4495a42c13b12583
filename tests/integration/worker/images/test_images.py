"""Before-images: what a job changed, turned back newest first, gives what was there before it."""

import random
from typing import Any

import pytest

from schemas.ids import JobId
from schemas.operations import BULK_OPERATIONS, JobParams, Operation
from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact, make_job, make_property, phone
from tests.integration.worker.images.turning_back import comparable, state_of, turned_back
from tests.integration.worker.small_jobs import Tenant, make_tenant
from tests.integration.worker.upserts import PROPERTIES, sparse_item
from tests.workers import counts_of, drain, job_of, open_worker
from worker.dry_run import dry_run_next

CONTACTS = 12
IMAGES = "SELECT * FROM before_images WHERE job_id = $1 ORDER BY number"


async def test_an_image_has_only_the_fields_that_changed_and_only_the_contacts_in_which_they_did(
    ctx: Context,
) -> None:
    tenant = await make_tenant(ctx)
    await _run(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(n, name="Ana", age=n) for n in range(3)])
    items = [contact(0, name="Bo", age=0), contact(1, name="Ana", age=1), contact(2, name="Cy"), contact(3)]
    job = await _run(ctx, tenant, Operation.CONTACTS_UPSERT, items)
    (image,) = await ctx.pool.fetch(IMAGES, job)
    assert (image["field"], image["old"], image["new"]) == ("name", ["Ana", "Ana"], ["Bo", "Cy"])
    assert image["old_json"] is image["new_json"] is None


async def test_contacts_that_a_job_creates_have_no_image(ctx: Context) -> None:
    tenant = await make_tenant(ctx)
    job = await _run(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(n, name="Ana") for n in range(3)])
    assert not await ctx.pool.fetch(IMAGES, job)


@pytest.mark.parametrize("operation", BULK_OPERATIONS)
@pytest.mark.parametrize("chunk_items", [1, 1000])
async def test_the_images_of_a_random_job_turn_it_back(
    ctx: Context, operation: Operation, chunk_items: int
) -> None:
    for seed in range(4):
        draw = random.Random(f"{operation} {chunk_items} {seed}")
        tenant = await make_tenant(ctx)
        for name, (type_, _) in PROPERTIES.items():
            await make_property(ctx, tenant.id, name, type_)
        for before in (Operation.LISTS_ADD, Operation.LABELS_ATTACH, Operation.AUDIENCES_ADD):
            await _run(ctx, tenant, before, _items(draw, before), region="US")
        await ctx.pool.execute("UPDATE opt_ins SET opted_in = false WHERE contact_id % 2 = 0")
        earlier = await state_of(ctx, tenant.id)
        job = await _run(ctx, tenant, operation, _items(draw, operation), chunk_items=chunk_items)
        later = await state_of(ctx, tenant.id)
        found = await turned_back(ctx, tenant.id, job, later)
        created = found.keys() - earlier.keys()
        for contact_id in created:
            del found[contact_id]
        assert comparable(found) == comparable(earlier)


async def test_without_undo_days_nothing_is_kept(settings: Settings) -> None:
    async with open_worker(settings.model_copy(update={"undo_days": 0})) as ctx:
        tenant = await make_tenant(ctx)
        for operation in BULK_OPERATIONS:
            draw = random.Random(operation)
            for _ in range(2):
                await _run(ctx, tenant, operation, _items(draw, operation), chunk_items=3)
        assert await ctx.pool.fetchval("SELECT count(*) FROM before_images") == 0


async def test_a_dry_run_keeps_nothing(ctx: Context) -> None:
    tenant = await make_tenant(ctx)
    await _run(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(1, name="Ana")])
    job = await make_job(ctx, tenant.id, [contact(1, name="Bo")], dry_run=True)
    assert await dry_run_next(ctx)
    assert counts_of(await job_of(ctx, tenant.id, job)) == {"updated": 1}
    assert await ctx.pool.fetchval("SELECT count(*) FROM before_images") == 0


def _items(draw: random.Random, operation: Operation) -> list[dict[str, Any]]:
    """Return random items, some of which name the same contacts, move phones, or clear fields."""
    if operation not in (
        Operation.CONTACTS_UPSERT, Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE
    ):  # fmt: skip
        return [{"phone": phone(number)} for number in draw.choices(range(CONTACTS), k=CONTACTS)]
    items = [sparse_item(draw, CONTACTS) for _ in range(CONTACTS)]
    for item in items:
        if draw.random() < 0.4:
            item["external_id"] = draw.choice("uvwxyz")
    return items


async def _run(
    ctx: Context, tenant: Tenant, operation: Operation, items: list[dict[str, Any]], **options: Any
) -> JobId:
    params = JobParams(
        region=options.pop("region", "US"),
        list_id=tenant.list_id,
        label_id=tenant.label_id,
        audience_id=tenant.audience_id,
        channels=(tenant.channel_id,),
        preference="sms",
    )
    job = await make_job(ctx, tenant.id, items, operation=operation, params=params, **options)
    await drain(ctx)
    return job
