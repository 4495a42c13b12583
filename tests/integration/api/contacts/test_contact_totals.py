"""The total of the contacts of an account is exact at all times. Pages do not read all contacts."""

import asyncio
import random

from schemas.ids import AccountId
from storage.context import Context
from storage.entities import contact_search
from storage.entities.accounts import Account
from storage.postgres.pool import Conn
from storage.postgres.transactions import rolled_back, transaction
from tests.factories import contact, make_account, make_contacts, make_job, phone
from tests.workers import drain

PIECES = 20
BOTH = """
SELECT COALESCE(sum(contacts), 0) = (SELECT count(*) FROM contacts WHERE account_id = $1)
FROM contact_counts WHERE account_id = $1
"""
READ = """
SELECT seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'contacts')::int
FROM pg_stat_user_tables WHERE relname = 'contacts'
"""


async def total(ctx: Context, account: Account) -> int:
    _, number = await contact_search.page(ctx.pool, account, search=None, size=1, skip=0)
    return number


async def change(ctx: Context, account_id: AccountId, piece: int) -> None:
    """Add contacts in one transaction, some of which exist, then delete some in another one."""
    numbers = [piece * 10 + n for n in range(15)]
    async with transaction(ctx.pool) as conn:
        await conn.execute(
            "INSERT INTO contacts (account_id, phone) SELECT $1, unnest($2::text[]) "
            "ON CONFLICT (account_id, phone) DO UPDATE SET updated_at = now()",
            account_id, [phone(n) for n in numbers],
        )  # fmt: skip
    async with transaction(ctx.pool) as conn:
        gone = [phone(n) for n in numbers if n % 3 == 0]
        await conn.execute(
            "DELETE FROM contacts WHERE account_id = $1 AND id IN (SELECT id FROM contacts "
            "WHERE account_id = $1 AND phone = ANY ($2) ORDER BY phone FOR UPDATE)",
            account_id, gone,
        )  # fmt: skip


async def test_the_total_is_exact_in_every_snapshot_while_many_change_it(ctx: Context) -> None:
    account, other = await make_account(ctx), await make_account(ctx)
    await make_contacts(ctx, other.id, range(3))
    order = random.Random(9).sample(range(PIECES), PIECES)
    changing = asyncio.gather(*(change(ctx, account.id, piece) for piece in order))
    while not changing.done():
        assert await ctx.pool.fetchval(BOTH, account.id)
    await changing
    assert await ctx.pool.fetchval(BOTH, account.id)
    assert await total(ctx, other) == 3


async def test_a_transaction_does_not_wait_for_the_count_of_another_one(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(2))
    async with transaction(ctx.pool) as one, transaction(ctx.pool, short_wait=True) as two:
        for number, conn in enumerate((one, two, one, two), 10):
            await conn.execute(
                "INSERT INTO contacts (account_id, phone) VALUES ($1, $2)", account.id, phone(number)
            )
        assert await total(ctx, account) == 2
    assert await total(ctx, account) == 6
    assert await ctx.pool.fetchval("SELECT count(*) FROM contact_counts") == 2


async def test_a_change_that_is_rolled_back_does_not_count(ctx: Context) -> None:
    account = await make_account(ctx)
    async with rolled_back(ctx.pool) as conn:
        await conn.execute("INSERT INTO contacts (account_id, phone) VALUES ($1, $2)", account.id, phone(1))
    assert await total(ctx, account) == 0


async def test_a_job_counts_what_it_creates(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n % 7) for n in range(10)], chunk_items=3)
    await drain(ctx)
    assert await total(ctx, account) == 7


async def test_a_page_does_not_read_all_contacts(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(5_000))
    async with ctx.pool.acquire() as conn:
        before = await rows_read(conn)
        _, number = await contact_search.page(conn, account, search=None, size=20, skip=0)
        assert number == 5_000
        assert await rows_read(conn) - before <= 200


async def test_a_search_for_the_start_of_a_phone_reads_the_contacts_that_match(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(5_000))
    async with ctx.pool.acquire() as conn:
        before = await rows_read(conn)
        rows, number = await contact_search.page(conn, account, search=phone(1_230)[:-1], size=3, skip=0)
        assert await rows_read(conn) - before <= 100
    assert number == 10
    assert [row.fields["phone"] for row in rows] == [phone(1_239), phone(1_238), phone(1_237)]


async def rows_read(conn: Conn) -> int:
    """Return the number of rows and index entries of contacts that statements of a connection read."""
    await conn.execute("SELECT pg_stat_force_next_flush()")
    return await conn.fetchval(READ)  # type: ignore[no-any-return]
