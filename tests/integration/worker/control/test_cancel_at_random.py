"""Cancel jobs at random moments: every item has one correct result, and the counts add up."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from schemas.states import JobState, Outcome
from storage.background import beside
from storage.context import Context
from storage.pipeline import cancellation
from tests.factories import contact, make_account, make_job, phone
from tests.waiting import until
from tests.workers import counts_of, job_of, results_of, serving, unfinished
from worker import dry_run
from worker import reconcile as reconciler
from worker.reconcile import reconcile_forever

CONTACTS = 60
APPLIED = {Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.MERGED}


@dataclass(frozen=True)
class MadeJob:
    """A job and its items."""

    account_id: AccountId
    job_id: JobId
    items: list[dict[str, Any]]
    dry_run: bool


async def make_jobs(ctx: Context, rng: random.Random) -> list[MadeJob]:
    """Make random jobs of two accounts with different chunk sizes; some are unsplit, some are dry runs."""
    made = []
    accounts = [await make_account(ctx), await make_account(ctx, item_limit=600, window_seconds=1)]
    for number in range(14):
        account = rng.choice(accounts)
        items = [
            {"phone": "12"} if rng.random() < 0.05 else contact(rng.randrange(CONTACTS), name=f"{number}/{n}")
            for n in range(rng.randint(1, 150))
        ]
        dry_run = rng.random() < 0.2
        chunk_items = rng.choice([150, rng.randint(3, 20)])  # 150: one chunk
        job_id = await make_job(
            ctx, account.id, items,
            chunk_items=chunk_items, parallel=rng.choice([1, 4, 8]), split=rng.random() < 0.7,
            dry_run=dry_run,
        )  # fmt: skip
        made.append(MadeJob(account.id, job_id, items, dry_run))
    return made


async def cancel_some(ctx: Context, rng: random.Random, made: list[MadeJob]) -> None:
    """Cancel some jobs in the order in which they are applied, each after a random number of done chunks."""
    for job in sorted(rng.sample(made, 8), key=made.index):
        wanted = rng.choice([0, 0, 1, 2, 3])

        async def reached(job: MadeJob = job, wanted: int = wanted) -> bool:
            return await _done(ctx, job) >= wanted

        await until(reached)
        standing = await cancellation.cancel(ctx.pool, job.account_id, job.job_id)
        assert standing is not None
        if rng.random() < 0.5:  # otherwise the reconciler rings
            await ctx.queue.ring_finish(job.account_id, job.job_id)


async def _done(ctx: Context, job: MadeJob) -> int:
    """Return how many chunks of a job are done; 99 if it has ended."""
    count: int = await ctx.pool.fetchval(
        """SELECT CASE WHEN j.finished_at IS NULL THEN count(*) FILTER (WHERE c.state = 'done') ELSE 99 END
           FROM jobs j LEFT JOIN chunks c ON c.job_id = j.id WHERE j.id = $1 GROUP BY j.finished_at""",
        job.job_id,
    )
    return count


@pytest.mark.parametrize("seed", range(3))
async def test_every_item_of_a_cancelled_job_has_one_correct_result(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(reconciler, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(dry_run, "EVERY_SECONDS", 0.05)
    rng = random.Random(seed)
    made = await make_jobs(ctx, rng)

    async def ended() -> bool:
        return await unfinished(ctx) == 0

    async with beside(*map(reconcile_forever, crew[:2])), serving(*crew):
        await asyncio.gather(cancel_some(ctx, rng, made), until(ended, seconds=30))
    names: dict[AccountId, dict[str, str]] = {job.account_id: {} for job in made}
    for job in made:
        await assert_whole(ctx, job, names[job.account_id])
    for account_id, expected in names.items():
        rows = await ctx.pool.fetch("SELECT phone, name FROM contacts WHERE account_id = $1", account_id)
        assert {row["phone"]: row["name"] for row in rows} == expected


async def assert_whole(ctx: Context, job: MadeJob, names: dict[str, str]) -> None:
    """Assert one result for each item, and counts that match; set the applied names in `names`, by phone."""
    row = await job_of(ctx, job.account_id, job.job_id)
    results = await results_of(ctx, job.account_id, job.job_id)
    assert JobState(row.state).ended
    assert [result.index for result in results] == list(range(len(job.items)))
    assert counts_of(row) == Counter(result.outcome.word for result in results)
    assert sum(counts_of(row).values()) == row.total == len(job.items)
    assert (row.state == "cancelled") == (row.cancelled > 0)
    for item, result in zip(job.items, results, strict=True):
        assert (result.outcome is Outcome.FAILED) <= (item["phone"] == "12")
        assert (result.code is None) == (result.outcome is not Outcome.FAILED)
        if result.outcome in APPLIED and not job.dry_run:
            names[item["phone"]] = item["name"]
    assert phone(CONTACTS) not in names
