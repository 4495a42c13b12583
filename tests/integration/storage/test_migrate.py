"""Databases of earlier releases are upgraded, and their jobs continue."""

import asyncio
import hashlib
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import asyncpg
import pytest

from schemas.ids import AccountId, JobId
from schemas.settings import Settings
from schemas.states import JobState
from storage import migrations, schema
from storage.context import Context
from storage.migrations import SchemaNotReady, migrate, scripts, wait_until_current, wanted
from storage.pipeline import chunks
from storage.pipeline.leases import new_token
from storage.postgres.pool import open_pool
from tests.integration.storage.catalog import describe, differences
from tests.integration.storage.conftest import MakeDatabase
from tests.waiting import until
from tests.workers import counts_of, job_of, open_worker, serving, unfinished
from worker.reconcile import reconcile

# SHA-256 of released migrations. Existing databases have run them, so their text must not change.
RELEASED = {
    "0001": "d2caefe75fbc22ff135651919227ef4a1f95f8e809a6fbf238245b4a5919ebaf",
    "0002": "aecd5fbad460d7ffa45c9548b137c445b3a148a2abddadb56342caf0e8f3be8f",
}

ACCOUNT = AccountId(1)
JOB, DRY_RUN = JobId(UUID(int=1)), JobId(UUID(int=2))
JOBS_OF_0002 = Path(__file__).with_name("release_0002.sql")
OBJECTS_OF_0003 = Path(__file__).with_name("release_0003.sql")


def test_released_migrations_do_not_change() -> None:
    texts = {revision: scripts()[revision].read_bytes() for revision in RELEASED}
    assert {revision: hashlib.sha256(text).hexdigest() for revision, text in texts.items()} == RELEASED


def test_each_migration_has_a_number_of_its_own() -> None:
    """Of two with the same number, `migrate` would run one."""
    assert len(scripts()) == len(list(migrations.HERE.glob("[0-9]*.sql")))


async def test_a_database_of_the_first_release_is_upgraded_and_its_jobs_continue(
    make_database: MakeDatabase, settings: Settings
) -> None:
    url = await _first_release(make_database)
    assert await migrate(url) == wanted()
    async with open_worker(settings, size=10, database_url=url) as ctx:
        async with serving(ctx):
            await reconcile(ctx)
            await until(lambda: _all_ended(ctx), seconds=30)
        job, dry_run = await job_of(ctx, ACCOUNT, JOB), await job_of(ctx, ACCOUNT, DRY_RUN)
        assert counts_of(job) == {"created": 9}
        assert sum(counts_of(dry_run).values()) == 9
        assert [job.state, dry_run.state] == [JobState.COMPLETED] * 2
        assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 9


async def test_the_contacts_that_exist_are_counted(make_database: MakeDatabase) -> None:
    url = await _first_release(make_database)
    conn = await asyncpg.connect(url)
    add = """INSERT INTO contacts (account_id, phone)
             SELECT 7, '+1415200000' || n FROM generate_series($1, $2::int) n"""
    await conn.execute(add, 1, 3)
    await migrate(url)
    await conn.execute(add, 4, 5)
    counted = await conn.fetchval("SELECT sum(contacts) FROM contact_counts WHERE account_id = 7")
    await conn.close()
    assert counted == 5


async def test_the_item_errors_that_exist_are_grouped(make_database: MakeDatabase) -> None:
    url = await _first_release(make_database)
    conn = await asyncpg.connect(url)
    await conn.execute(
        """INSERT INTO item_errors (account_id, job_id, item_index, field, code, message)
           SELECT 1, $1, n, NULLIF('field ' || n % 3, 'field 0'), 'code ' || n % 2, 'wrong'
           FROM generate_series(0, 99) n""",
        JOB,
    )
    stored = await conn.fetch(
        """SELECT code, field, count(*), (array_agg(item_index ORDER BY item_index))[1:3] AS examples
           FROM item_errors GROUP BY code, field ORDER BY count(*) DESC, min(item_index)"""
    )
    await migrate(url)
    groups = await conn.fetch(
        "SELECT code, field, errors, examples FROM summarise_errors(1, $1) ORDER BY place", JOB
    )
    await conn.close()
    assert len(groups) == 6
    assert list(map(tuple, groups)) == list(map(tuple, stored))


async def test_the_jobs_that_can_be_retried_are_listed(make_database: MakeDatabase) -> None:
    url = await make_database()
    conn = await asyncpg.connect(url)
    for revision, script in scripts().items():
        if revision < "0029":
            await conn.execute(script.read_text())
    await conn.execute("INSERT INTO schema_version (revision, fingerprint) VALUES ('0028', '')")
    await conn.execute(
        """INSERT INTO jobs (account_id, id, operation, stream, state, format, parallel, request_id, failed,
                accepted_at, finished_at, parent_id, name, tags, received_at)
           SELECT 1, ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'contacts.upsert', 'contacts', state,
                'ndjson', 1, '', failed, accepted_at, finished_at,
                ('00000000-0000-0000-0000-00000000000' || parent)::uuid, name, tags, '2026-01-01 10:00Z'
           FROM (VALUES
                (1, 'completed_with_errors', 1, now(), now(), NULL, 'a', '{x}'::text[]),
                (2, 'completed_with_errors', 1, now(), now(), NULL, 'a', '{x}'),
                (3, 'running', 0, now(), NULL, 2, NULL, '{}'),
                (4, 'failed', 1, NULL, now(), 1, NULL, '{}'),
                (5, 'completed', 0, now(), now(), NULL, NULL, '{}')
           ) j (n, state, failed, accepted_at, finished_at, parent, name, tags)"""
    )
    await migrate(url)
    listed = await conn.fetch(
        "SELECT job_id, tag, name FROM job_history WHERE state LIKE 'retryable %' ORDER BY 1, 2, 3"
    )
    counted = await conn.fetchval("SELECT sum(jobs) FROM job_counts WHERE state LIKE 'retryable %'")
    await conn.close()
    facets = [(1, "", ""), (1, "", "a"), (1, "x", ""), (1, "x", "a"), (4, "", "")]
    assert [(row["job_id"].int, row["tag"], row["name"]) for row in listed] == facets
    assert counted == len(facets)


async def test_the_previous_release_is_upgraded_while_its_worker_applies_a_chunk(
    make_database: MakeDatabase, settings: Settings
) -> None:
    url = await _previous_release(make_database)
    async with open_worker(settings, size=10, database_url=url) as ctx:
        await ctx.pool.execute(
            "UPDATE chunks SET lease_until = now() + interval '6 s' WHERE state = 'running'"
        )
        assert await migrate(url) == wanted()
        (row,) = await ctx.pool.fetch("SELECT token, state FROM chunks WHERE state = 'running'")
        assert (row["token"], row["state"]) == (1, "running")
        fence = "SELECT true FROM chunks WHERE first_index = 3 AND token = $1::int AND state = 'running'"
        assert await ctx.pool.fetchval(fence, 1)  # what the old worker asks
        await ctx.pool.execute("UPDATE chunks SET lease_until = now() WHERE state = 'running'")
        async with serving(ctx):
            await reconcile(ctx)
            await until(lambda: _all_ended(ctx), seconds=30)
        job, dry_run = await job_of(ctx, ACCOUNT, JOB), await job_of(ctx, ACCOUNT, DRY_RUN)
        assert counts_of(job) == {"created": 9}
        assert [job.state, dry_run.state] == [JobState.COMPLETED] * 2


async def test_an_upgraded_database_equals_a_new_one(make_database: MakeDatabase, database_url: str) -> None:
    url = await _first_release(make_database)
    await migrate(url)
    found = differences(await _described(database_url), await _described(url), names=("new", "upgraded"))
    assert not found


async def test_a_changed_function_reaches_an_existing_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [text.replace("width + width", "width + 1") for text in schema.objects()]
    assert changed != schema.objects()
    monkeypatch.setattr(schema, "objects", lambda: changed)
    pool = await open_pool(database_url, size=1, name="test")
    with pytest.raises(SchemaNotReady):
        await wait_until_current(pool, seconds=0)
    await migrate(database_url)
    await wait_until_current(pool, seconds=0)
    assert "width + 1" in await pool.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'choose_chunks'")
    await pool.close()


async def test_claims_continue_while_the_views_are_created_again(
    ctx: Context, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = asyncio.Event()

    async def claim() -> None:
        while not done.is_set():
            await chunks.claim_unlimited(ctx.pool, ctx.worker_id, [new_token()])

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(claim())
        for comment in ("\n-- first change", "\n-- second change"):
            changed = [text + comment for text in schema.objects()]
            monkeypatch.setattr(schema, "objects", lambda changed=changed: changed)
            await migrate(database_url)
        done.set()


async def test_the_tables_are_found_in_any_schema_of_the_search_path(make_database: MakeDatabase) -> None:
    url = await make_database()
    conn = await asyncpg.connect(url)
    await conn.execute('CREATE SCHEMA "Bulklane tables"; CREATE SCHEMA later')
    await conn.close()
    for path in ('"Bulklane tables"', 'later, "Bulklane tables"'):
        await migrate(f"{url}&search_path={quote(path)}")
    conn = await asyncpg.connect(url)
    found = await conn.fetch("SELECT schemaname FROM pg_tables WHERE tablename = 'jobs'")
    await conn.close()
    assert [row["schemaname"] for row in found] == ["Bulklane tables"]


async def test_several_processes_may_migrate_at_once(make_database: MakeDatabase) -> None:
    for url in (await make_database(), await _first_release(make_database)):
        assert set(await asyncio.gather(*(migrate(url) for _ in range(4)))) == {wanted()}


async def test_a_failed_migration_changes_nothing(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = await _first_release(make_database)
    before = await _described(url)
    broken = tmp_path / "9999_broken.sql"
    broken.write_text("SELECT 1 / 0")
    every = scripts() | {"9999": broken}
    monkeypatch.setattr(migrations, "scripts", lambda: every)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(url)
    assert await _described(url) == before


async def test_the_database_of_a_newer_release_is_not_changed(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    await conn.execute("UPDATE schema_version SET revision = '9999'")
    await conn.close()
    with pytest.raises(SchemaNotReady, match="newer release"):
        await migrate(database_url)


async def _first_release(make_database: MakeDatabase) -> str:
    url = await make_database()
    conn = await asyncpg.connect(url)
    for revision in RELEASED:
        await conn.execute(scripts()[revision].read_text())
    await conn.execute(JOBS_OF_0002.read_text())
    await conn.close()
    return url


async def _previous_release(make_database: MakeDatabase) -> str:
    url = await _first_release(make_database)
    conn = await asyncpg.connect(url)
    await conn.execute(scripts()["0003"].read_text())
    await conn.execute(OBJECTS_OF_0003.read_text())
    await conn.close()
    return url


async def _all_ended(ctx: Context) -> bool:
    return not await unfinished(ctx)


async def _described(url: str) -> list[str]:
    conn = await asyncpg.connect(url)
    found = await describe(conn)
    await conn.close()
    return found
