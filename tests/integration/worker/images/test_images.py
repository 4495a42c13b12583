"""Before-images: what a job changed, turned back newest first, gives what was there before it."""

import random

import pytest

from schemas.ids import AccountId, JobId
from schemas.operations import BULK_OPERATIONS, Operation
from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact, make_job
from tests.integration.worker import stepwise
from tests.integration.worker.images.running import make_filled_tenant, random_items, run_job, submit_job
from tests.integration.worker.images.turning_back import State, comparable, state_of, turned_back
from tests.integration.worker.small_jobs import make_tenant
from tests.workers import counts_of, job_of, open_worker
from worker.claim import claim_chunks
from worker.dry_run import dry_run_next
from worker.operations.registry import TOGETHER_OPERATIONS
from worker.together import apply_together

TOGETHER = [operation for operation in BULK_OPERATIONS if operation.value in TOGETHER_OPERATIONS]
IMAGES = "SELECT * FROM before_images WHERE job_id = $1 ORDER BY number"


async def test_an_image_has_only_the_fields_that_changed_and_only_the_contacts_in_which_they_did(
    ctx: Context,
) -> None:
    tenant = await make_tenant(ctx)
    await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(n, name="Ana", age=n) for n in range(3)])
    items = [contact(0, name="Bo", age=0), contact(1, name="Ana", age=1), contact(2, name="Cy"), contact(3)]
    job = await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, items)
    (image,) = await ctx.pool.fetch(IMAGES, job)
    assert (image["field"], image["old"], image["new"]) == ("name", ["Ana", "Ana"], ["Bo", "Cy"])
    assert image["old_json"] is image["new_json"] is None
    updated = await ctx.pool.fetch("SELECT DISTINCT updated_at FROM contacts WHERE name IN ('Bo', 'Cy')")
    assert [row["updated_at"] for row in updated] == [image["at"]]


@pytest.mark.parametrize(
    "chunk_items", [2, 1000]
)  # 1000: the job is applied like those that are applied together
async def test_contacts_that_differ_in_other_fields_are_in_other_images(
    ctx: Context, chunk_items: int
) -> None:
    tenant = await make_tenant(ctx)
    await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(n, name="Ana", age=n) for n in range(3)])
    items = [contact(0, name="Bo", age=0), contact(1, name="Ana", age=7), contact(2, name="Cy", age=8)]
    job = await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, items, chunk_items=chunk_items)
    kept = {
        (image["field"], old, new)
        for image in await ctx.pool.fetch(IMAGES, job)
        for _, old, new in zip(image["contact_ids"], image["old"], image["new"], strict=True)
    }
    assert kept == {("name", "Ana", "Bo"), ("age", "1", "7"), ("name", "Ana", "Cy"), ("age", "2", "8")}


async def test_contacts_that_a_job_creates_have_no_image(ctx: Context) -> None:
    tenant = await make_tenant(ctx)
    job = await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(n, name="Ana") for n in range(3)])
    assert not await ctx.pool.fetch(IMAGES, job)


@pytest.mark.parametrize("operation", BULK_OPERATIONS)
@pytest.mark.parametrize("chunk_items", [1, 5, 1000])
async def test_the_images_of_a_random_job_turn_it_back(
    ctx: Context, operation: Operation, chunk_items: int
) -> None:
    for seed in range(3):
        draw = random.Random(f"{operation} {chunk_items} {seed}")
        tenant = await make_filled_tenant(ctx, draw)
        before = await state_of(ctx, tenant.id)
        job = await run_job(ctx, tenant, operation, random_items(draw, operation), chunk_items=chunk_items)
        await _assert_turned_back(ctx, tenant.id, [job], before)


@pytest.mark.parametrize("seed", range(8))
async def test_the_images_of_jobs_that_are_applied_together_turn_back_each_of_them(
    ctx: Context, seed: int
) -> None:
    draw = random.Random(seed)
    tenants = [await make_filled_tenant(ctx, draw) for _ in range(2)]
    before = [await state_of(ctx, tenant.id) for tenant in tenants]
    jobs: dict[AccountId, list[JobId]] = {tenant.id: [] for tenant in tenants}
    for operation in draw.choices(TOGETHER, k=10):
        tenant = draw.choice(tenants)
        items = (
            random_items(draw, operation)[:2]
            if draw.random() < 0.7
            else [contact(1, name=f"{draw.random()}")]
        )
        await submit_job(ctx, tenant, operation, items)
    claims = await claim_chunks(ctx)
    assert len(claims) == 10
    assert await apply_together(ctx, claims)
    for claim in claims:
        jobs[claim.account_id].append(claim.job_id)
    for tenant, earlier in zip(tenants, before, strict=True):
        await _assert_turned_back(ctx, tenant.id, jobs[tenant.id], earlier)


async def test_the_images_of_chunks_out_of_order_and_of_their_settling_turn_the_job_back(
    ctx: Context,
) -> None:
    tenant = await make_tenant(ctx)
    await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(1, name="Ana", metadata={"a": 1})])
    before = await state_of(ctx, tenant.id)
    items = [contact(1, name="Bo", metadata={"a": 2, "b": 2}), contact(1, name="Cy", metadata={"a": None})]
    job = await stepwise.start(ctx, tenant.id, items)
    await job.apply(1, 0)
    await job.finish()
    assert (await stepwise.row_of(ctx, tenant.id, 1)).fields["name"] == "Cy"
    await _assert_turned_back(ctx, tenant.id, [job.job_id], before)
    fields = [row["field"] for row in await ctx.pool.fetch(IMAGES, job.job_id)]
    assert fields.count("name") == 3


async def test_a_row_that_the_database_rejects_takes_the_images_of_no_other_row_with_it(ctx: Context) -> None:
    tenant = await make_tenant(ctx)
    large = {f"k{n}": "x" * 15_000 for n in range(4)}
    for key, value in large.items():
        items = [contact(1, metadata={key: value}), contact(2, name="Ana")]
        await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, items)
    before = await state_of(ctx, tenant.id)
    items = [contact(1, metadata={"more": "x" * 15_000}), contact(2, name="Bo")]
    job = await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, items)
    assert counts_of(await job_of(ctx, tenant.id, job)) == {"updated": 1, "failed": 1}
    await _assert_turned_back(ctx, tenant.id, [job], before)


async def test_without_undo_days_nothing_is_kept(settings: Settings) -> None:
    async with open_worker(settings.model_copy(update={"undo_days": 0})) as ctx:
        tenant = await make_tenant(ctx)
        for operation in BULK_OPERATIONS:
            draw = random.Random(operation)
            for _ in range(2):
                await run_job(ctx, tenant, operation, random_items(draw, operation), chunk_items=3)
        assert await ctx.pool.fetchval("SELECT count(*) FROM before_images") == 0


async def test_a_dry_run_keeps_nothing(ctx: Context) -> None:
    tenant = await make_tenant(ctx)
    await run_job(ctx, tenant, Operation.CONTACTS_UPSERT, [contact(1, name="Ana")])
    job = await make_job(ctx, tenant.id, [contact(1, name="Bo")], dry_run=True)
    assert await dry_run_next(ctx)
    assert counts_of(await job_of(ctx, tenant.id, job)) == {"updated": 1}
    assert await ctx.pool.fetchval("SELECT count(*) FROM before_images") == 0


async def _assert_turned_back(ctx: Context, account_id: AccountId, jobs: list[JobId], before: State) -> None:
    """Assert that the images of jobs, which ran in this order, lead back to what was before."""
    state = await state_of(ctx, account_id)
    for job_id in reversed(jobs):
        state = await turned_back(ctx, account_id, job_id, state)
    for created in state.keys() - before.keys():
        del state[created]
    assert comparable(state) == comparable(before)
