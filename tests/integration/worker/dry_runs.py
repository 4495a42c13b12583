"""Helpers for tests of dry runs: dump all data, report a job, stop or kill a dry run."""

import asyncio
from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from storage.context import Context
from tests.workers import counts_of, job_of, results_of
from worker import dry_run
from worker.dry_run import dry_run_next

DATA = (
    "contacts", "memberships", "opt_ins", "labels", "contact_lists", "audiences", "teams", "channels",
    "property_definitions", "grants", "accounts",
)  # fmt: skip


async def dump(ctx: Context) -> dict[str, list[str]]:
    """Return every row of every table of data, as text."""
    return {
        table: [row[0] for row in await ctx.pool.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in DATA
    }


async def dry_run_all(*workers: Context) -> int:
    """Run dry runs until none is due; return how many ran."""
    count = 0
    while await dry_run_next(workers[count % len(workers)]):
        count += 1
    return count


async def report_of(ctx: Context, account_id: AccountId, job_id: JobId) -> dict[str, Any]:
    """Return everything that a job reports about its items, except contact ids."""
    job = await job_of(ctx, account_id, job_id)
    return {
        "state": job.state,
        "counts": counts_of(job),
        "members": (job.added, job.removed),
        "results": [
            (result.index, result.outcome.word, result.merged_into, result.code, result.message)
            for result in await results_of(ctx, account_id, job_id)
        ],
        "errors": [
            tuple(row)
            for row in await ctx.pool.fetch(
                """SELECT item_index, ref, field, code, message, value::text, item::text FROM item_errors
                   WHERE job_id = $1 ORDER BY item_index""",
                job_id,
            )
        ],
    }


class Stop:
    """Stops dry runs after `chunks` calls of the function `at` of worker.dry_run, until `resume` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, chunks: int, at: str = "_apply_chunk") -> None:
        self.reached, self.resume = asyncio.Event(), asyncio.Event()
        self._left, self._function = chunks, getattr(dry_run, at)
        monkeypatch.setattr(dry_run, at, self)

    async def __call__(self, *args: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            self.reached.set()
            await self.resume.wait()
        return await self._function(*args)


async def die(dry_running: "asyncio.Task[bool]", monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancel a dry run without releasing its claim, as kill -9 does."""
    with monkeypatch.context() as patch:
        patch.setattr(dry_run, "_release", _nothing)
        dry_running.cancel()
        await asyncio.wait([dry_running])


async def _nothing(*args: object, **more: object) -> None:
    del args, more


async def expire(ctx: Context) -> None:
    """Let the leases of all dry runs expire."""
    await ctx.pool.execute(
        "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE lease_until IS NOT NULL"
    )
