"""Definitions of properties: which keys `properties` of a contact may have, and what their values are."""

from collections.abc import Sequence

import asyncpg

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.postgres.queries import Db, load
from storage.postgres.violations import told

QUERIES = load(__name__)


async def definitions(db: Db, account_id: AccountId) -> list[asyncpg.Record]:
    """All of the account's: name, type, options (of an enum)."""
    rows: list[asyncpg.Record] = await QUERIES.definitions(db, account_id=account_id)
    return rows


async def create(
    db: Db, account_id: AccountId, *, name: str, type: str, options: Sequence[str] | None = None
) -> asyncpg.Record:
    """A new definition; raises Conflict."""
    message = f"the account has a property {name!r} already: take another name"
    with told(property_definitions_pkey=Conflict(message, code="property_exists", param="name")):
        row: asyncpg.Record = await QUERIES.create(
            db, account_id=account_id, name=name, type=type, options=options
        )
    return row


async def get(db: Db, account_id: AccountId, name: str) -> asyncpg.Record | None:
    """A definition of the account's."""
    row: asyncpg.Record | None = await QUERIES.get(db, account_id=account_id, name=name)
    return row


async def page(db: Db, account_id: AccountId, *, after: str, size: int) -> list[asyncpg.Record]:
    """The definitions by name, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.page(db, account_id=account_id, after=after, size=size)
    return rows


async def set_options(
    db: Db, account_id: AccountId, name: str, options: Sequence[str]
) -> asyncpg.Record | None:
    """Give an enum other options; None where there is none of this name. Stored values stay as they are."""
    row: asyncpg.Record | None = await QUERIES.set_options(
        db, account_id=account_id, name=name, options=options
    )
    return row


async def delete(db: Db, account_id: AccountId, name: str) -> bool:
    """Take a definition away; False where there is none. Stored values stay as they are."""
    return await QUERIES.delete(db, account_id=account_id, name=name) is not None
