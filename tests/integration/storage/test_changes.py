"""Of the changes of an account's jobs, none is lost or read twice, whatever the order of the commits."""

import asyncio
import random

import pytest

from schemas.ids import AccountId, JobId, new_job_id
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import changes
from storage.pipeline.changes import Cursor, Part
from tests.changing_jobs import CHANGE_JOB, INSERT_JOB, VERSIONS, change_at_random, make_jobs
from tests.factories import make_account
from tests.page_counts import counting
from tests.workers import open_worker

JOBS = 12
END_JOBS = "UPDATE jobs SET state = 'completed' WHERE account_id = $1"
Version = tuple[JobId, int | None, int]


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
    ids = await make_jobs(ctx, account.id, JOBS)
    cursor = await changes.now(ctx.pool)
    done = asyncio.Event()
    followers = [
        asyncio.create_task(_follow(ctx, account.id, cursor, done, random.Random(seed * 10 + number)))
        for number in range(2)
    ]
    await change_at_random(ctx, account.id, ids, rng)
    done.set()
    final = {tuple(row) for row in await ctx.pool.fetch(VERSIONS, account.id)}
    for follower in followers:
        seen = await follower
        assert len(seen) == len(set(seen)), "a change was read twice"
        latest = {version[0]: version for version in seen}
        assert {version for version in final if version[1] or version[2]} == set(latest.values())


async def test_a_change_of_a_transaction_that_commits_late_is_read(ctx: Context) -> None:
    account = await make_account(ctx)
    early, late = await make_jobs(ctx, account.id, 2)
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


async def test_many_changes_of_one_transaction_are_read_in_pages(ctx: Context) -> None:
    """The migration that added `changed` is such a transaction: it changed all jobs that existed."""
    account = await make_account(ctx)
    cursor = await changes.now(ctx.pool)
    late = new_job_id()
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.fetch("SELECT pg_current_xact_id()")  # begins before the others
        ids = [new_job_id() for _ in range(20)]
        await ctx.pool.execute(INSERT_JOB, account.id, late)
        await ctx.pool.execute(END_JOBS, account.id)
        first = await changes.read(ctx.pool, account.id, cursor)
        await conn.executemany(INSERT_JOB, [(account.id, job_id) for job_id in ids])
        await conn.execute(END_JOBS, account.id)
    assert [change.job.id for change in first.changes] == [late]
    for after, expected in ((first.cursor, ids), (cursor, [*ids, late])):
        seen: list[JobId] = []
        place, more = after, True
        while more:
            page = await changes.read(ctx.pool, account.id, place, size=6)
            assert len(page.changes) <= 6, "a page is as large as the transaction"
            seen += [change.job.id for change in page.changes]
            place, more = page.cursor, page.more
        assert sorted(seen) == sorted(expected)


async def test_a_page_of_a_transaction_that_is_open_for_a_cursor_reads_a_page(
    ctx: Context, settings: Settings
) -> None:
    """A client can name any transaction as open."""
    account = await make_account(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.executemany(INSERT_JOB, [(account.id, new_job_id()) for _ in range(1_000)])
        await conn.execute(END_JOBS, account.id)
        at = await conn.fetchval("SELECT pg_current_xact_id()::text::bigint")
    async with open_worker(settings, size=1) as worker, counting(settings.database_url or "") as pages:
        place = Cursor(at=at, open=(at,))
        await changes.read(worker.pool, account.id, place, size=5)  # asyncpg learns the types
        await worker.pool.execute("SET pg_stat_statements.track = 'all'")
        async with pages.step("read"):
            page = await changes.read(worker.pool, account.id, place, size=5)
    assert len(page.changes) == 5
    assert max(pages.read.values()) < 400


async def test_a_job_of_a_restored_database_has_no_changes_to_wait_for(ctx: Context) -> None:
    """Its stream sent nothing, not even its end, until the numbers of this server had caught up."""
    account = await make_account(ctx)
    (job_id,) = await make_jobs(ctx, account.id, 1)
    await ctx.pool.execute("UPDATE jobs SET changed = '999999999999' WHERE account_id = $1", account.id)
    now = await changes.of_job(ctx.pool, account.id, job_id)
    assert now is not None
    assert now.covered_by(now.cursor)


async def test_jobs_of_other_accounts_are_not_read(ctx: Context) -> None:
    account, other = await make_account(ctx), await make_account(ctx)
    cursor = await changes.now(ctx.pool)
    await make_jobs(ctx, other.id, 1)
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
