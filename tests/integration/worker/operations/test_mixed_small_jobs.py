"""Small jobs of several operations and accounts take one transaction, with the same effect as one by one."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from schemas.operations import BULK_OPERATIONS, Operation
from storage.context import Context
from storage.pipeline.chunks import Claim
from tests.factories import contact
from tests.integration.worker.job_runs import assert_consistent
from tests.integration.worker.small_jobs import Job, make_tenant, stored, submit
from worker.apply import apply_chunk
from worker.claim import claim_chunks
from worker.operations.registry import TOGETHER_OPERATIONS
from worker.together import apply_together

ACCOUNTS = 3
JOBS = 14
CONTACTS = 6  # that the jobs of an account name
IMAGES = """
SELECT split_part(b.field, ':', 1) AS field, u.old_json ->> 'phone' AS phone,
    CASE WHEN b.field LIKE '%:%' THEN split_part(u.old, ' ', 1) <> '' ELSE false END AS had,
    CASE WHEN b.field NOT LIKE '%:%' THEN u.old END AS old,
    CASE WHEN b.field NOT LIKE '%:%' THEN u.new END AS new
FROM before_images b
CROSS JOIN LATERAL unnest(b.contact_ids, b.old, b.new, b.old_json) u (contact_id, old, new, old_json)
WHERE b.account_id = $1 AND b.job_id = $2
"""


async def test_a_job_finds_no_contact_of_the_job_of_another_account_before_it(ctx: Context) -> None:
    tenants = [await make_tenant(ctx) for _ in range(2)]
    await submit(ctx, tenants, [
        Job(0, Operation.CONTACTS_UPSERT, [contact(1)]),
        Job(1, Operation.LISTS_ADD, [contact(2)]),
    ])  # fmt: skip
    assert await apply_together(ctx, await claim_chunks(ctx))
    rows = await ctx.pool.fetch("SELECT account_id, phone FROM contacts ORDER BY account_id, phone")
    assert [tuple(row) for row in rows] == [
        (tenant.id, contact(number)["phone"]) for number, tenant in enumerate(tenants, 1)
    ]


@pytest.mark.parametrize("seed", range(20))
async def test_the_effect_of_random_operations_is_that_of_one_by_one(ctx: Context, seed: int) -> None:
    plan = _random_plan(seed)
    together = [await make_tenant(ctx) for _ in range(ACCOUNTS)]
    jobs = await submit(ctx, together, plan)
    claims = await claim_chunks(ctx)
    assert len(claims) == len(jobs)
    assert await apply_together(ctx, claims)
    alone = [await make_tenant(ctx) for _ in range(ACCOUNTS)]
    others = await submit(ctx, alone, plan)
    await _apply_alone(ctx, dict(zip(others, jobs, strict=True)), claims)
    assert await stored(ctx, together, jobs) == await stored(ctx, alone, others)
    assert [await _images(ctx, job) for job in jobs] == [await _images(ctx, job) for job in others]
    await assert_consistent(ctx)


async def _images(ctx: Context, job: tuple[AccountId, JobId]) -> list[Any]:
    """Return what the images of a job say, sorted, without ids and times."""
    rows = [tuple(row) for row in await ctx.pool.fetch(IMAGES, *job)]
    return sorted(rows, key=repr)


def _random_plan(seed: int) -> list[Job]:
    draw = random.Random(seed)
    operations = sorted({Operation(name) for name in TOGETHER_OPERATIONS} & {*BULK_OPERATIONS})
    return [
        Job(draw.randrange(ACCOUNTS), operation, [_item(draw, operation) for _ in range(draw.randint(1, 3))])
        for operation in draw.choices(operations, k=JOBS)
    ]


def _item(draw: random.Random, operation: Operation) -> dict[str, Any]:
    item: dict[str, Any] = {"phone": contact(draw.randrange(CONTACTS))["phone"]}
    if operation in (Operation.CONTACTS_UPSERT, Operation.LISTS_ADD, Operation.LISTS_REMOVE):
        for name in ("name", "email"):
            if draw.random() < 0.5:
                item[name] = draw.choice(("a@example.com", "b@example.com", None))
        if draw.random() < 0.1:
            item["external_id"] = draw.choice("xyz")
    return item


async def _apply_alone(
    ctx: Context, twins: dict[tuple[AccountId, JobId], tuple[AccountId, JobId]], order: Sequence[Claim]
) -> None:
    """Apply jobs one by one, in the order in which their twins were claimed."""
    places = {(claim.account_id, claim.job_id): place for place, claim in enumerate(order)}
    claims = await claim_chunks(ctx)
    assert len(claims) == len(twins)
    for claim in sorted(claims, key=lambda claim: places[twins[claim.account_id, claim.job_id]]):
        await apply_chunk(ctx, claim)
