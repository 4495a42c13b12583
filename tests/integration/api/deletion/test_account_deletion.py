"""An account is deleted with all that it owns, whatever runs, and whoever dies."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from storage.access import api_keys
from storage.context import Context
from storage.deletion import account_deletion
from storage.deletion.owned_rows import OWNED
from storage.entities import accounts
from storage.entities.accounts import Account
from tests.factories import contact, make_account, make_job, phone
from tests.integration.api.owned import fill, left, owned_tables
from tests.integration.api.tenant_rows import OWN, THEIRS
from tests.workers import barred, claim, claim_chunk
from worker.apply import apply_chunk
from worker.deletion.delete_accounts import delete_accounts, sweep
from worker.finish import finish_if_last
from worker.reconcile import reconcile
from worker.split import split_job

PRIMARY_KEYS = """
SELECT c.relname AS table, array_agg(a.attname::text ORDER BY k.place) AS key
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
WHERE i.indisprimary AND c.relname = ANY ($1) AND k.place <= i.indnkeyatts
GROUP BY c.relname
"""


class Died(Exception):
    """The process that deletes has died."""


@contextmanager
def dying_at(batch: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the deletion die in a batch, before its commit."""
    reached = 0

    def reach(_step: str, _detail: str) -> None:
        nonlocal reached
        reached += 1
        if reached == batch:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(account_deletion, "reach", reach)
        yield


async def begun(ctx: Context, account: Account) -> None:
    """Mark an account as being deleted."""
    assert await account_deletion.begin(ctx.pool, account.id) is not None


async def test_every_table_of_an_account_is_among_those_that_are_deleted(ctx: Context) -> None:
    tables = await owned_tables(ctx.pool)
    found = {row["table"]: row["key"] for row in await ctx.pool.fetch(PRIMARY_KEYS, tables)}
    known = {rows.table: list(rows.key) for rows in OWNED}
    whole = {table: key[1:] or key for table, key in found.items()}
    assert known == whole, "add the table, with its key, to OWNED in storage/deletion/owned_rows.py"


async def test_nothing_of_a_deleted_account_is_left_and_others_keep_all(ctx: Context) -> None:
    gone, other = await make_account(ctx), await make_account(ctx)
    await fill(ctx, gone, OWN)
    await fill(ctx, other, THEIRS)
    everything = set(await owned_tables(ctx.pool))
    assert set(await left(ctx, gone.id)) == everything
    before = await left(ctx, other.id)
    assert set(await account_deletion.count_rows(ctx.pool, gone.id)) == everything

    await begun(ctx, gone)
    await delete_accounts(ctx)
    assert await left(ctx, gone.id) == {}
    assert await left(ctx, other.id) == before
    assert await accounts.by_id(ctx.pool, gone.id) is None
    assert (await accounts.create(ctx.pool, gone.name, accounts.AccountChange())).id != gone.id


async def test_a_deletion_that_dies_in_any_batch_is_ended_by_others(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in OWNED:
        monkeypatch.setattr(rows, "rows", 2)
    account = await make_account(ctx)
    await fill(ctx, account, OWN)
    await make_job(ctx, account.id, [contact(n) for n in range(5)], chunk_items=1)
    await begun(ctx, account)
    batch, deaths = 1, 0
    while await accounts.by_id(ctx.pool, account.id):
        with dying_at(batch, monkeypatch):
            try:
                await delete_accounts(ctx)
            except Died:
                deaths += 1
        batch += 1
    assert deaths > len(OWNED)
    assert await left(ctx, account.id) == {}


async def test_a_key_that_is_created_during_the_deletion_opens_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    await begun(ctx, account)
    _, key = await api_keys.create_key(ctx.pool, account.id)
    assert await api_keys.by_key(ctx.pool, key) is None
    assert await api_keys.by_key_with_jobs(ctx.pool, key) is None


async def test_rows_that_are_locked_delay_nothing_else(ctx: Context) -> None:
    account = await make_account(ctx)
    await fill(ctx, account, OWN)
    await begun(ctx, account)
    async with barred(ctx, f"SELECT FROM contacts WHERE account_id = {account.id} FOR UPDATE"):
        await delete_accounts(ctx)
        assert set(await left(ctx, account.id)) == {"contacts"}
    await delete_accounts(ctx)
    assert await left(ctx, account.id) == {}


async def test_an_account_that_is_locked_delays_no_other(ctx: Context) -> None:
    locked, other = await make_account(ctx), await make_account(ctx)
    for account in (locked, other):
        await begun(ctx, account)
    async with barred(ctx, f"SELECT FROM accounts WHERE id = {locked.id} FOR KEY SHARE"):
        await delete_accounts(ctx)
        assert await account_deletion.marked(ctx.pool) == [locked.id]
    await delete_accounts(ctx)
    assert await account_deletion.marked(ctx.pool) == []


async def test_the_jobs_of_a_deleted_account_stop_and_cost_others_nothing(ctx: Context) -> None:
    gone, other = await make_account(ctx), await make_account(ctx)
    jobs = {}
    for account in (gone, other):
        items = [contact(n) for n in range(4)]
        jobs[account] = await make_job(ctx, account.id, items, chunk_items=2)
    held = [await claim(ctx), await claim(ctx)]
    unsplit = await make_job(ctx, gone.id, [contact(1)], split=False)
    await make_job(ctx, gone.id, [contact(1)], dry_run=True, stream="other")
    await begun(ctx, gone)
    async with ctx.pool.acquire() as conn:  # one batch only: the jobs go before their chunks
        await account_deletion.go_on(conn, gone.id, 0)
    await split_job(ctx, gone.id, unsplit)
    for chunk in held:
        await apply_chunk(ctx, chunk)
    await delete_accounts(ctx)
    await finish_if_last(ctx, gone.id, jobs[gone])
    while following := await claim_chunk(ctx):
        assert following.account_id == other.id
        await apply_chunk(ctx, following)
    await reconcile(ctx)
    await delete_accounts(ctx)
    assert await left(ctx, gone.id) == {}
    ended = await ctx.pool.fetchrow("SELECT state, created FROM jobs WHERE id = $1", jobs[other])
    assert tuple(ended or ()) == ("completed", 4)


async def test_what_a_request_stores_after_the_deletion_is_deleted_too(ctx: Context) -> None:
    account = await make_account(ctx)
    await begun(ctx, account)
    await delete_accounts(ctx)
    late = "INSERT INTO contacts (account_id, phone) VALUES ($1, $2)"
    await ctx.pool.execute(late, account.id, phone(1))
    await sweep(ctx)
    assert await left(ctx, account.id) == {}
    await ctx.pool.execute("UPDATE deleted_accounts SET deleted_at = now() - interval '30 days'")
    await sweep(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM deleted_accounts") == 0


async def test_the_windows_of_a_deleted_account_are_deleted_from_redis(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=10)
    await make_job(ctx, account.id, [contact(1)])
    await apply_chunk(ctx, await claim(ctx))
    assert await ctx.queue.redis.keys(f"*{{{account.id}}}*")
    await begun(ctx, account)
    await delete_accounts(ctx)
    assert not await ctx.queue.redis.keys(f"*{{{account.id}}}*")
