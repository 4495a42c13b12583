"""Accounts with a row in every table, and what is left of them."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from schemas.ids import AccountId
from storage.access import api_keys
from storage.context import Context
from storage.entities.accounts import Account
from storage.postgres.named_queries import Db
from tests.integration.api.tenant_rows import Belongings, populate, tables_of

NOT_OWNED = {"deleted_accounts"}  # has the ids of accounts only
VALUES: dict[str, Any] = {
    "bigint": 1, "integer": 1, "smallint": 1, "text": "x", "boolean": False, "bytea": "\\x00", "jsonb": {},
    "json": {}, "timestamp with time zone": "2026-11-27T10:00:00Z", "ARRAY": [],
}  # fmt: skip
MISSING_COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL
  AND is_identity = 'NO' AND column_name <> 'account_id'
"""


async def owned_tables(db: Db) -> list[str]:
    """Return all tables with rows of accounts."""
    return [table for table in await tables_of(db) if table not in NOT_OWNED]


async def said_of(db: Db, account_id: AccountId, secrets: Iterable[str]) -> dict[str, list[str]]:
    """Return the tables in which a value of a row of the account has a secret, and which of them."""
    found = {}
    for table, key in [*((table, "account_id") for table in await owned_tables(db)), ("accounts", "id")]:
        rows = await db.fetch(f"SELECT * FROM {table} WHERE {key} = $1", account_id)
        text = "\n".join(_text(value) for row in rows for value in row.values())
        found[table] = [secret for secret in secrets if secret in text]
    return {table: said for table, said in found.items() if said}


def _text(value: Any) -> str:
    """Return a value as text; bytes as the text that they are."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


async def fill(ctx: Context, account: Account, has: Belongings) -> None:
    """Write rows of an account into every table: real ones where a job or a request writes them."""
    await api_keys.create_key(ctx.pool, account.id)
    await populate(ctx, account, has)
    for table in await owned_tables(ctx.pool):
        if not await count(ctx, table, account.id):
            await _invent(ctx, table, account.id)


async def count(ctx: Context, table: str, account_id: AccountId) -> int:
    """Return the number of rows of an account in a table."""
    return await ctx.pool.fetchval(  # type: ignore[no-any-return]
        f"SELECT count(*) FROM {table} WHERE account_id = $1", account_id
    )


async def left(ctx: Context, account_id: AccountId) -> dict[str, int]:
    """Return the tables that have rows of an account."""
    counts = {table: await count(ctx, table, account_id) for table in await owned_tables(ctx.pool)}
    return {table: rows for table, rows in counts.items() if rows}


async def _invent(ctx: Context, table: str, account_id: AccountId) -> None:
    row: dict[str, Any] = {"account_id": account_id}
    for column in await ctx.pool.fetch(MISSING_COLUMNS, table):
        name, type_ = column["column_name"], column["data_type"]
        row[name] = str(uuid4()) if type_ == "uuid" else VALUES[type_]
    names = ", ".join(row)
    await ctx.pool.execute(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1)",
        json.dumps(row),
    )
