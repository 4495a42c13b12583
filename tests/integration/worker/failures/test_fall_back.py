"""Small jobs that are not applied together keep their order and are charged once, and none stays leased."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from storage import failpoints
from storage.context import Context
from storage.pipeline import chunks, failures, finish
from storage.pipeline.chunks import Claim
from tests.factories import contact, make_account, make_job
from tests.workers import counts_of, drain, job_of
from worker import turn
from worker.finish import finish_if_last
from worker.turn import take_turn

NAME = "SELECT name FROM contacts WHERE account_id = $1"
CHUNKS = "SELECT state, deaths FROM chunks WHERE account_id = $1 ORDER BY first_index"
CHARGED = "SELECT sum(items) FROM grants WHERE account_id = $1"
UNSTORABLE = "a\0b"  # in a name: only the database finds it


async def jobs_of(ctx: Context, account_id: AccountId, names: Sequence[str]) -> list[JobId]:
    """Make small jobs of one stream. Each gives the same contact another name."""
    return [await make_job(ctx, account_id, [contact(1, name=name)]) for name in names]


async def test_a_row_that_the_database_rejects_charges_no_other_job_twice(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=1_000)
    names = [f"Name {number}" for number in range(8)]
    *_, last = jobs = await jobs_of(ctx, account.id, [*names[:4], UNSTORABLE, *names[4:]])
    await take_turn(ctx)
    assert await ctx.pool.fetchval(CHARGED, account.id) == len(jobs)
    assert await ctx.pool.fetchval(NAME, account.id) == names[-1]
    assert counts_of(await job_of(ctx, account.id, jobs[4])) == {"failed": 1}
    assert counts_of(await job_of(ctx, account.id, last)) == {"updated": 1}


async def test_a_chunk_that_is_not_small_is_given_back_when_the_small_ones_end_the_turn(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A claim that stays in `held` is renewed for ever, so nobody else could apply the chunk."""
    small, cut = [await make_account(ctx, item_limit=limit) for limit in (1_000, 10)]
    await make_job(ctx, small.id, [contact(1)])
    job_id = await make_job(ctx, cut.id, [contact(number) for number in range(20)])
    monkeypatch.setattr(failpoints, "FOLDER", tmp_path)
    (tmp_path / "apply.after_commit").write_text("fail lost")
    with pytest.raises(ConnectionError):
        await take_turn(ctx)
    assert not ctx.held
    assert [tuple(row) for row in await ctx.pool.fetch(CHUNKS, cut.id)] == [("ready", 0)] * 2
    assert (await job_of(ctx, small.id, await _only_job(ctx, small.id))).state.ended
    assert not (await job_of(ctx, cut.id, job_id)).state.ended


async def test_a_job_that_is_delayed_while_it_is_claimed_comes_before_those_that_follow_it(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker releases a chunk, then counts the failure. In between, another one can choose the chunk."""
    account = await make_account(ctx, item_limit=1_000)
    first, *_ = await jobs_of(ctx, account.id, ["first", "second", "third"])
    lease = chunks.lease

    async def late(*args: Any, **options: Any) -> list[Claim]:
        monkeypatch.undo()
        await failures.count(ctx.pool, account.id, first)
        return await lease(*args, **options)

    monkeypatch.setattr(chunks, "lease", late)
    await take_turn(ctx)
    await finish_if_last(ctx, account.id, first)
    await drain(ctx)
    assert await ctx.pool.fetchval(NAME, account.id) == "third"


async def test_a_job_that_was_applied_alone_after_another_one_is_finished_if_the_worker_dies(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    _, second = await jobs_of(ctx, account.id, [UNSTORABLE, "second"])

    async def die(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
        if job_id == second:
            raise ConnectionError
        await finish_if_last(ctx, account_id, job_id)

    monkeypatch.setattr(turn, "finish_if_last", die)
    with pytest.raises(ConnectionError):
        await take_turn(ctx)
    assert await ctx.pool.fetchval(NAME, account.id) == "second"
    assert await finish.unended(ctx.pool) == [(account.id, second)]


async def _only_job(ctx: Context, account_id: AccountId) -> JobId:
    job_id: JobId = await ctx.pool.fetchval("SELECT id FROM jobs WHERE account_id = $1", account_id)
    return job_id
