"""Definitions of properties: the keys that `properties` of a contact may have, and their types."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.errors import Conflict
from schemas.ids import AccountId
from schemas.items.properties import Definition, PropertyType
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load, row_of, row_or_none, rows_of

QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyRow:
    """A definition. Only an enum has `options`."""

    name: str
    type: PropertyType
    options: list[str] | None
    created_at: datetime


async def definitions(db: Db, account_id: AccountId) -> list[Definition]:
    """Return all definitions of the account, ordered by name."""
    rows = rows_of(PropertyRow, await QUERIES.definitions(db, account_id=account_id))
    return [Definition(name=row.name, type=row.type, options=tuple(row.options or ())) for row in rows]


async def create(
    db: Db, account_id: AccountId, *, name: str, type: PropertyType, options: Sequence[str] | None = None
) -> PropertyRow:
    """Create a definition. Raises Conflict if the name is taken."""
    message = f"the account already has a property {name!r}: choose another name"
    with violations_as(property_definitions_pkey=Conflict(message, code="property_exists", param="name")):
        record = await QUERIES.create(db, account_id=account_id, name=name, type=type, options=options)
    return row_of(PropertyRow, record)


async def get(db: Db, account_id: AccountId, name: str) -> PropertyRow | None:
    """Return a definition, or None if the account has no such property."""
    return row_or_none(PropertyRow, await QUERIES.get(db, account_id=account_id, name=name))


async def page(db: Db, account_id: AccountId, *, after: str, size: int) -> list[PropertyRow]:
    """Return the definitions after the given name, ordered by name."""
    return rows_of(PropertyRow, await QUERIES.page(db, account_id=account_id, after=after, size=size))


async def change(db: Db, account_id: AccountId, name: str, *, options: Sequence[str]) -> PropertyRow | None:
    """Replace the options of an enum and return it, or None if no enum has this name. Stored values stay."""
    record = await QUERIES.change(db, account_id=account_id, name=name, options=options)
    return row_or_none(PropertyRow, record)


async def delete(db: Db, account_id: AccountId, name: str) -> bool:
    """Delete a definition. Return False if it does not exist. Stored values stay."""
    return await QUERIES.delete(db, account_id=account_id, name=name) is not None
