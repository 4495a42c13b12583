"""Jobs of any operation, run to their end, and what they leave behind."""

from collections.abc import Iterable
from typing import Any

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline.results import ResultRow
from tests.factories import make_job
from tests.workers import drain, results_of

OWNERS = {"list": "contact_lists", "label": "labels", "audience": "audiences"}


async def run(
    ctx: Context, account_id: AccountId, operation: Operation, items: Iterable[Any], **options: Any
) -> list[ResultRow]:
    """The answers of a job that has ended; options that are parameters of the job are given to it as such."""
    _, results = await run_job(ctx, account_id, operation, items, **options)
    return results


async def run_job(
    ctx: Context,
    account_id: AccountId,
    operation: Operation,
    items: Iterable[Any],
    *,
    workers: Iterable[Context] = (),
    **options: Any,
) -> tuple[JobId, list[ResultRow]]:
    """The same with the job's id; by these workers, or by one."""
    params = {name: options.pop(name) for name in JobParams.model_fields if name in options}
    params.setdefault("region", "US")
    job_id = await make_job(
        ctx, account_id, items, operation=operation, params=JobParams(**params), **options
    )
    await drain(*(workers or (ctx,)))
    return job_id, await results_of(ctx, account_id, job_id)


def told(results: Iterable[ResultRow]) -> list[Any]:
    """The outcomes as words; where there is a code, too, both."""
    return [(result.outcome.word, result.code) if result.code else result.outcome.word for result in results]


async def members_of(ctx: Context, kind: str, owner_id: int) -> set[int]:
    """The contacts in a list or an audience, or with a label."""
    sql = "SELECT contact_id FROM memberships WHERE kind = $1 AND owner_id = $2"
    return {row["contact_id"] for row in await ctx.pool.fetch(sql, kind, owner_id)}


async def assert_consistent(ctx: Context) -> None:
    """No membership and no opt-in is without its contact or its owner, and all counts are right."""
    for kind, table in OWNERS.items():
        wrong = await ctx.pool.fetch(
            f"""SELECT o.id FROM {table} o
                WHERE o.contact_count <> (SELECT count(*) FROM memberships m WHERE m.account_id = o.account_id
                                          AND m.kind = $1 AND m.owner_id = o.id)""",
            kind,
        )
        assert not wrong, (kind, wrong)
        orphans = await ctx.pool.fetch(
            f"""SELECT * FROM memberships m WHERE kind = $1 AND NOT EXISTS (
                    SELECT FROM {table} o WHERE o.account_id = m.account_id AND o.id = m.owner_id)""",
            kind,
        )
        assert not orphans, (kind, orphans)
    for table in ("memberships", "opt_ins"):
        orphans = await ctx.pool.fetch(
            f"""SELECT * FROM {table} m WHERE NOT EXISTS (
                    SELECT FROM contacts c WHERE c.account_id = m.account_id AND c.id = m.contact_id)"""
        )
        assert not orphans, (table, orphans)
