"""The account and the key that the first start makes, so that there is something to try."""

import asyncpg

from storage.entities import accounts
from storage.entities.accounts import AccountChange

NAME = "demo"
REGION = "US"


async def ensure_demo_key(database_url: str, known_key: str | None) -> str:
    """The known key if it still opens an account; else a new one of the account `demo`, made if missing."""
    conn = await asyncpg.connect(database_url)
    try:
        if known_key and await accounts.by_key(conn, known_key):
            return known_key
        account = await accounts.by_name(conn, NAME)
        if account is None:
            account = await accounts.create(conn, NAME, AccountChange(region=REGION))
        _, key = await accounts.create_key(conn, account.id)
        return key
    finally:
        await conn.close()
