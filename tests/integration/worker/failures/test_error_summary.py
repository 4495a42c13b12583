"""The item errors of a job, grouped by code and field, equal the errors that are stored, always."""

import random
from typing import Any

from schemas.ids import AccountId, JobId
from schemas.item_errors import ErrorGroup
from storage.context import Context
from storage.pipeline import dry_runs
from storage.pipeline.jobs import EXAMPLES, MAX_GROUPS
from tests.factories import contact, make_account, make_job
from tests.workers import claim, drain, expire_leases, job_of
from worker.apply import apply_chunk, complete
from worker.dry_run import dry_run_next
from worker.operations.base import Applied
from worker.prepare import prepare
from worker.prune import prune
from worker.reconcile import reconcile

ROUNDS = 6
BAD: list[Any] = [
    {"phone": "x"},
    {"phone": "12"},
    {"phone": "+14155552671", "age": "old"},
    {"phone": "+14155552671", "age": -1},
    {"phone": "+14155552671", "": 1},
    {"phone": "+14155552671", "unknown": 1},
    b"{",
    b'"text"',
    {},
]


async def summary_of(ctx: Context, account_id: AccountId, job_id: JobId) -> list[ErrorGroup]:
    """Return the summary of a job; assert that it equals the stored errors, and that it is all of them."""
    job = await job_of(ctx, account_id, job_id)
    assert job.error_summary is not None
    errors = await ctx.pool.fetch(
        """SELECT item_index, code, field, message FROM item_errors
           WHERE account_id = $1 AND job_id = $2 ORDER BY item_index""",
        account_id, job_id,
    )  # fmt: skip
    named = [group for group in job.error_summary if group.code]
    for group in named:
        own = [row for row in errors if (row["code"], row["field"]) == (group.code, group.field)]
        assert group.count == len(own)
        examples = [(example.index, example.message) for example in group.examples]
        assert examples == [(row["item_index"], row["message"]) for row in own[:EXAMPLES]]
    assert [group.count for group in named] == sorted((group.count for group in named), reverse=True)
    assert sum(group.count for group in job.error_summary) == job.failed == len(errors)
    return list(job.error_summary)


async def test_it_equals_the_stored_errors_while_a_job_runs_and_when_it_has_ended(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        taken = [contact(seed, external_id=f"one {seed}"), contact(seed + 500, external_id=f"one {seed}")]
        items = [rng.choice([*BAD, *taken, contact(rng.randrange(20))]) for _ in range(60)]
        parallel = rng.randint(1, 4)
        job_id = await make_job(ctx, account.id, items, chunk_items=rng.randint(1, 25), parallel=parallel)
        lost = await claim(ctx)  # and applied again, after its worker has died
        await apply_chunk(ctx, await claim(ctx) if parallel > 1 else lost)
        await summary_of(ctx, account.id, job_id)
        await expire_leases(ctx)
        await reconcile(ctx)
        await drain(*crew)
        await apply_chunk(ctx, lost)  # the fence stops it
        assert await summary_of(ctx, account.id, job_id)
        rows = await ctx.pool.fetchval("SELECT count(*) FROM error_groups WHERE job_id = $1", job_id)
        assert rows == len(await summary_of(ctx, account.id, job_id))  # merged


async def test_a_dry_run_that_starts_again_counts_each_error_once(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, BAD * 5, chunk_items=20, dry_run=True)
    first = await dry_runs.claim(ctx.pool)
    assert first is not None
    chunk = await dry_runs.next_chunk(ctx.pool, first, -1)
    assert chunk is not None
    assert await dry_runs.record(ctx.pool, complete(chunk, prepare(chunk), Applied()))
    assert await summary_of(ctx, account.id, job_id)
    await dry_runs.release(ctx.pool, first, blame=False)
    await dry_run_next(ctx)
    groups = await summary_of(ctx, account.id, job_id)
    assert sum(group.count for group in groups) == 5 * len(BAD)


async def test_the_smallest_groups_are_one_group(ctx: Context) -> None:
    account = await make_account(ctx)
    counts = [3 + MAX_GROUPS - n for n in range(MAX_GROUPS)] + [2, 1, 1]
    items = [contact(n, **{f"field_{n}": 1}) for n, count in enumerate(counts) for _ in range(count)]
    random.Random(1).shuffle(items)
    job_id = await make_job(ctx, account.id, items, chunk_items=500)
    await apply_chunk(ctx, await claim(ctx))
    assert await summary_of(ctx, account.id, job_id)
    await drain(ctx)
    groups = await summary_of(ctx, account.id, job_id)
    assert [group.count for group in groups] == [*counts[:MAX_GROUPS], 4]
    assert [group.field for group in groups[:2]] == ["field_0", "field_1"]
    assert (groups[-1].code, groups[-1].field, groups[-1].examples) == (None, None, ())


async def test_it_is_deleted_with_its_job(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, BAD)
    await drain(ctx)
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '10 years'")
    await prune(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM error_groups") == 0
