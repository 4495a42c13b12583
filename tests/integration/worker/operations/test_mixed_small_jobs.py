"""Small jobs of several operations and accounts take one transaction, with the same effect as one by one."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline.chunks import Claim
from tests.factories import (
    contact,
    make_account,
    make_audience,
    make_channel,
    make_job,
    make_label,
    make_list,
)
from tests.integration.worker.job_runs import assert_consistent
from tests.workers import job_of, results_of
from worker.apply import apply_chunk
from worker.claim import claim_chunks
from worker.operations.registry import TOGETHER_OPERATIONS
from worker.together import apply_together

ACCOUNTS = 3
JOBS = 14
CONTACTS = 6  # that the jobs of an account name

STORED = """
SELECT c.phone, c.name, c.email, c.external_id, c.communication_preference,
    ARRAY(SELECT m.kind FROM memberships m
          WHERE m.account_id = c.account_id AND m.contact_id = c.id ORDER BY m.kind),
    ARRAY(SELECT o.opted_in FROM opt_ins o WHERE o.account_id = c.account_id AND o.contact_id = c.id)
FROM contacts c WHERE c.account_id = $1 ORDER BY c.phone
"""


@dataclass(frozen=True, slots=True)
class Tenant:
    """An account with one resource of each kind."""

    id: AccountId
    list_id: int
    label_id: int
    audience_id: int
    channel_id: UUID


@dataclass(frozen=True, slots=True)
class Job:
    """A job to make: the number of its account, its operation and its items."""

    account: int
    operation: Operation
    items: list[dict[str, Any]]


async def test_a_job_finds_no_contact_of_the_job_of_another_account_before_it(ctx: Context) -> None:
    tenants = [await _tenant(ctx) for _ in range(2)]
    await _submit(ctx, tenants, [
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
    together = [await _tenant(ctx) for _ in range(ACCOUNTS)]
    jobs = await _submit(ctx, together, plan)
    claims = await claim_chunks(ctx)
    assert len(claims) == len(jobs)
    assert await apply_together(ctx, claims)
    alone = [await _tenant(ctx) for _ in range(ACCOUNTS)]
    others = await _submit(ctx, alone, plan)
    await _apply_alone(ctx, dict(zip(others, jobs, strict=True)), claims)
    assert await _stored(ctx, together, jobs) == await _stored(ctx, alone, others)
    await assert_consistent(ctx)


def _random_plan(seed: int) -> list[Job]:
    draw = random.Random(seed)
    operations = sorted(Operation(name) for name in TOGETHER_OPERATIONS)
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


async def _tenant(ctx: Context) -> Tenant:
    account_id = (await make_account(ctx)).id
    return Tenant(
        account_id,
        await make_list(ctx, account_id),
        await make_label(ctx, account_id),
        await make_audience(ctx, account_id),
        await make_channel(ctx, account_id),
    )


async def _submit(
    ctx: Context, tenants: Sequence[Tenant], plan: Sequence[Job]
) -> list[tuple[AccountId, JobId]]:
    jobs = []
    for job in plan:
        tenant = tenants[job.account]
        params = JobParams(
            region="US",
            list_id=tenant.list_id,
            label_id=tenant.label_id,
            audience_id=tenant.audience_id,
            channels=(tenant.channel_id,),
            preference="sms",
        )
        job_id = await make_job(ctx, tenant.id, job.items, operation=job.operation, params=params)
        jobs.append((tenant.id, job_id))
    return jobs


async def _apply_alone(
    ctx: Context, twins: dict[tuple[AccountId, JobId], tuple[AccountId, JobId]], order: Sequence[Claim]
) -> None:
    """Apply jobs one by one, in the order in which their twins were claimed."""
    places = {(claim.account_id, claim.job_id): place for place, claim in enumerate(order)}
    claims = await claim_chunks(ctx)
    assert len(claims) == len(twins)
    for claim in sorted(claims, key=lambda claim: places[twins[claim.account_id, claim.job_id]]):
        await apply_chunk(ctx, claim)


async def _stored(
    ctx: Context, tenants: Sequence[Tenant], jobs: Sequence[tuple[AccountId, JobId]]
) -> tuple[list[Any], list[Any]]:
    """Return the contacts of the accounts and the results of the jobs, without ids."""
    contacts = [[tuple(row) for row in await ctx.pool.fetch(STORED, tenant.id)] for tenant in tenants]
    ended = []
    for account_id, job_id in jobs:
        job = await job_of(ctx, account_id, job_id)
        results = await results_of(ctx, account_id, job_id)
        words = [(row.index, row.outcome, row.merged_into, row.code) for row in results]
        ended.append((job.operation, job.state, job.added, job.removed, words))
    return contacts, ended
