"""Run jobs of any operation to their end, and check the data that they leave."""

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
    """Run a job to its end and return its results; see `run_job`."""
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
    """Run a job to its end; return its id and its results.

    `options` are parameters of the job or arguments of `make_job`. `workers` apply the job; default: `ctx`.
    """
    params = {name: options.pop(name) for name in JobParams.model_fields if name in options}
    params.setdefault("region", "US")
    job_id = await make_job(
        ctx, account_id, items, operation=operation, params=JobParams(**params), **options
    )
    await drain(*(workers or (ctx,)))
    return job_id, await results_of(ctx, account_id, job_id)


def words_of(results: Iterable[ResultRow]) -> list[Any]:
    """Return the outcome of each result as a word, or as (word, code) if it has a code."""
    return [(result.outcome.word, result.code) if result.code else result.outcome.word for result in results]


async def members_of(ctx: Context, kind: str, owner_id: int) -> set[int]:
    """Return the ids of the contacts in a list or an audience, or with a label."""
    sql = "SELECT contact_id FROM memberships WHERE kind = $1 AND owner_id = $2"
    return {row["contact_id"] for row in await ctx.pool.fetch(sql, kind, owner_id)}


async def assert_consistent(ctx: Context) -> None:
    """Assert that contact counts are correct, and that no membership or opt-in lacks its contact or owner."""
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
