"""Small jobs of any operation of several accounts, and what they leave, without ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation
from storage.context import Context
from tests.factories import make_account, make_audience, make_channel, make_job, make_label, make_list
from tests.workers import job_of, results_of

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


async def make_tenant(ctx: Context, item_limit: int = 0) -> Tenant:
    """Create an account with its resources."""
    account_id = (await make_account(ctx, item_limit=item_limit)).id
    return Tenant(
        account_id,
        await make_list(ctx, account_id),
        await make_label(ctx, account_id),
        await make_audience(ctx, account_id),
        await make_channel(ctx, account_id),
    )


async def submit(
    ctx: Context, tenants: Sequence[Tenant], plan: Sequence[Job]
) -> list[tuple[AccountId, JobId]]:
    """Make the jobs of a plan, each for the tenant of its number."""
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


async def stored(
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
