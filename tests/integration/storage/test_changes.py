"""Of the changes of an account's jobs, none is lost or read twice, whatever the order of the commits."""

import asyncio
import random

import pytest

from schemas.ids import AccountId, JobId, new_job_id
from storage.context import Context
from storage.pipeline import changes
from storage.pipeline.changes import Cursor, Part
from tests.factories import make_account

JOBS, WRITERS, WRITES = 12, 6, 40

INSERT_JOB = """
    INSERT INTO jobs (account_id, id, operation, stream, state, format, parallel, request_id, total)
    VALUES ($1, $2, 'contacts.upsert', 'contacts', 'running', 'ndjson', 4, 'req_1', 0)
"""
CHANGE_JOB = "UPDATE jobs SET total = total + 1 WHERE account_id = $1 AND id = $2"
RECORD_CHUNK = """
    INSERT INTO chunks
        (account_id, job_id, first_index, items, part, byte_start, byte_end, state, created, changed)
    VALUES ($1, $2, $3, 1, 0, 0, 1, 'done', 1, pg_current_xact_id())
"""
VERSIONS = "SELECT id, total, created FROM job_views WHERE account_id = $1"

Version = tuple[JobId, int | None, int]


async def _make_jobs(ctx: Context, account_id: AccountId, count: int) -> list[JobId]:
    ids = [new_job_id() for _ in range(count)]
    for job_id in ids:
        await ctx.pool.execute(INSERT_JOB, account_id, job_id)
    return ids


async def _write(
    ctx: Context, account_id: AccountId, ids: list[JobId], writer: int, rng: random.Random
) -> None:
    """Change jobs in transactions that stay open for a moment; some are rolled back."""
    for number in range(WRITES):
        async with ctx.pool.acquire() as conn:
            doomed = conn.transaction()
            await doomed.start()
            for job_id in sorted(rng.sample(ids, rng.randint(1, 3))):
                if rng.random() < 0.5:
                    await conn.execute(CHANGE_JOB, account_id, job_id)
                else:
                    await conn.execute(RECORD_CHUNK, account_id, job_id, writer * WRITES + number)
                await asyncio.sleep(rng.random() / 500)
            await (doomed.rollback() if rng.random() < 0.2 else doomed.commit())


async def _follow(
    ctx: Context, account_id: AccountId, cursor: Cursor, done: asyncio.Event, rng: random.Random
) -> list[Version]:
    """Read all changes, in pages of random sizes, each from a random place in the page before."""
    seen: list[Version] = []
    while True:
        last = done.is_set()
        page = await changes.read(ctx.pool, account_id, cursor, size=rng.randint(1, 4))
        cut = rng.randint(1, 4) if rng.random() < 0.5 else len(page.changes)
        for change in page.changes[:cut]:
            assert not cursor.covers(change.at, change.job.id)
            seen.append((change.job.id, change.job.total, change.job.created))
        if page.changes[:cut]:
            # a client sends the text back
            text = page.changes[:cut][-1].cursor.show()
            cursor = changes.Cursor.read(text) or cursor
            assert cursor.show() == text
        elif last:
            return seen
        else:
            cursor = page.cursor


@pytest.mark.parametrize("seed", range(6))
async def test_no_change_is_lost_or_read_twice(ctx: Context, seed: int) -> None:
    rng = random.Random(seed)
    account = await make_account(ctx)
    ids = await _make_jobs(ctx, account.id, JOBS)
    cursor = await changes.now(ctx.pool)
    done = asyncio.Event()
    followers = [
        asyncio.create_task(_follow(ctx, account.id, cursor, done, random.Random(seed * 10 + number)))
        for number in range(2)
    ]
    await asyncio.gather(
        *(_write(ctx, account.id, ids, writer, random.Random(rng.random())) for writer in range(WRITERS))
    )
    done.set()
    final = {tuple(row) for row in await ctx.pool.fetch(VERSIONS, account.id)}
    for follower in followers:
        seen = await follower
        assert len(seen) == len(set(seen)), "a change was read twice"
        latest = {version[0]: version for version in seen}
        assert {version for version in final if version[1] or version[2]} == set(latest.values())


async def test_a_change_of_a_transaction_that_commits_late_is_read(ctx: Context) -> None:
    account = await make_account(ctx)
    early, late = await _make_jobs(ctx, account.id, 2)
    cursor = await changes.now(ctx.pool)
    async with ctx.pool.acquire() as conn:
        async with conn.transaction():
            await conn.execute(CHANGE_JOB, account.id, late)  # has the lower number
            await ctx.pool.execute(CHANGE_JOB, account.id, early)
            first = await changes.read(ctx.pool, account.id, cursor)
            assert [change.job.id for change in first.changes] == [early]
        second = await changes.read(ctx.pool, account.id, first.cursor)
    assert [change.job.id for change in second.changes] == [late]
    assert (await changes.read(ctx.pool, account.id, second.cursor)).changes == []


async def test_jobs_of_other_accounts_are_not_read(ctx: Context) -> None:
    account, other = await make_account(ctx), await make_account(ctx)
    cursor = await changes.now(ctx.pool)
    await _make_jobs(ctx, other.id, 1)
    assert (await changes.read(ctx.pool, account.id, cursor)).changes == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "-1",
        "1.",
        "1.2,",
        "1-2",
        "1-2-job_x",
        "1.2-3-4",
        "9" * 19,
        "1 ",
        "1\n",
        "1." + "2," * 2_500 + "2",
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    assert Cursor.read(text) is None


def test_a_cursor_comes_back_from_its_text() -> None:
    cursor = Cursor(
        at=20, open=(7, 12), parts=(Part(at=15, job_id=new_job_id()), Part(at=9, job_id=new_job_id()))
    )
    assert Cursor.read(cursor.show()) == cursor
