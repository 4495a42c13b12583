"""Contacts as whole rows: pages of them, and single ones read, added, changed and deleted."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import asyncpg
from pydantic_core import to_json

from schemas.errors import Conflict, NotAcceptable
from schemas.ids import AccountId
from schemas.items.contacts import DOCUMENTS
from storage.entities import memberships, opt_ins
from storage.postgres.pool import Conn
from storage.postgres.queries import Db, load
from storage.postgres.violations import told

QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What a search looks for: LIKE patterns, and a phone in E.164; None finds nothing."""

    name_like: str | None = None
    phone_like: str | None = None
    phone: str | None = None


async def by_ids(db: Db, account_id: AccountId, ids: Sequence[int]) -> list[asyncpg.Record]:
    """Contacts in the order of their ids; those that the account does not have are absent."""
    rows: list[asyncpg.Record] = await QUERIES.by_ids(db, account_id=account_id, ids=ids)
    return rows


async def id_by_external_id(db: Db, account_id: AccountId, external_id: str) -> int | None:
    """The id of the contact that has an external id."""
    id_: int | None = await QUERIES.id_by_external_id(db, account_id=account_id, external_id=external_id)
    return id_


async def get(db: Db, account_id: AccountId, contact_id: int) -> asyncpg.Record | None:
    """A contact of the account's."""
    row: asyncpg.Record | None = await QUERIES.get(db, account_id=account_id, id=contact_id)
    return row


async def page(
    db: Db, account_id: AccountId, *, sought: Sought | None, size: int, skip: int
) -> tuple[list[asyncpg.Record], int]:
    """The contacts, or those sought, newest first, after the first `skip`; and how many there are in all."""
    if sought is None:
        rows = await QUERIES.page(db, account_id=account_id, size=size, skip=skip)
    else:
        rows = await QUERIES.search(
            db,
            account_id=account_id,
            name_like=sought.name_like,
            phone_like=sought.phone_like,
            phone=sought.phone,
            size=size,
            skip=skip,
        )
    return [row for row in rows if row["id"] is not None], rows[0]["total"]


async def insert(db: Db, account_id: AccountId, fields: Mapping[str, Any]) -> asyncpg.Record:
    """A new contact of these columns; raises Conflict or NotAcceptable."""
    documents = {name: _split(fields.get(name))[0] for name in DOCUMENTS}
    with _told():
        row: asyncpg.Record = await QUERIES.insert(
            db, account_id=account_id, fields=_json({**fields, **documents})
        )
    return row


async def change(
    db: Db, account_id: AccountId, contact_id: int, fields: Mapping[str, Any]
) -> asyncpg.Record | None:
    """Set these columns, of documents these keys; None takes a column or a key away.

    Answers the contact as it is then, or None: the account has no such contact. Raises what `insert` raises.
    """
    columns = {name: value for name, value in fields.items() if name not in DOCUMENTS}
    metadata, metadata_gone = _split(fields.get("metadata"))
    properties, properties_gone = _split(fields.get("properties"))
    with _told():
        row: asyncpg.Record | None = await QUERIES.change(
            db,
            account_id=account_id,
            id=contact_id,
            fields=_json(columns),
            metadata=_json(metadata),
            metadata_gone=metadata_gone,
            properties=_json(properties),
            properties_gone=properties_gone,
        )
    return row or await get(db, account_id, contact_id)


async def delete(conn: Conn, account_id: AccountId, contact_id: int) -> bool:
    """Take a contact away, out of all it is in, with its opt-ins; False: there is none."""
    if await QUERIES.lock(conn, account_id=account_id, id=contact_id) is None:
        return False
    await memberships.forget_contacts(conn, account_id, [contact_id])
    await opt_ins.forget_contacts(conn, account_id, [contact_id])
    await QUERIES.delete(conn, account_id=account_id, id=contact_id)
    return True


def _split(document: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
    """What of a document is to be set, and which keys are to go."""
    given = document or {}
    kept = {key: value for key, value in given.items() if value is not None}
    return kept, [key for key in given if key not in kept]


def _json(value: Mapping[str, Any]) -> str:
    return to_json(value).decode()


def _told() -> AbstractContextManager[None]:
    return told(
        contacts_phone=Conflict(
            "a contact has this phone number already: find it with GET /v1/contacts?search=, and PATCH it",
            code="contact_exists",
            param="phoneNumber",
        ),
        contacts_external_id=Conflict(
            "another contact has this external id: correct one of the two",
            code="external_id_exists",
            param="externalId",
        ),
        metadata_size=_too_large("metadata"),
        properties_size=_too_large("properties"),
    )


def _too_large(name: str) -> NotAcceptable:
    message = f"{name} would be larger than 64 KiB together with what is stored: take keys out, with null"
    return NotAcceptable(message, code=f"{name}_too_large", param=name)


async def set_preference(
    conn: Conn, account_id: AccountId, ids: Sequence[int], preference: str, default: str | None
) -> set[int]:
    """Set the communication preference of contacts that the caller has locked: those that had another.

    `default` is what a contact has that was never told one.
    """
    rows = await QUERIES.set_preference(
        conn, account_id=account_id, ids=ids, preference=preference, default_preference=default
    )
    return {row["id"] for row in rows}


async def delete_many(conn: Conn, account_id: AccountId, ids: Sequence[int]) -> None:
    """Delete contacts that the caller has locked FOR UPDATE, with their memberships and opt-ins.

    Each in a statement of its own: the first sees what was committed until the lock was there.
    """
    await memberships.forget_contacts(conn, account_id, ids)
    await opt_ins.forget_contacts(conn, account_id, ids)
    await QUERIES.delete_many(conn, account_id=account_id, ids=ids)


async def lock_shared(conn: Conn, account_id: AccountId, contact_id: int) -> bool:
    """Keep a contact from being deleted until the transaction ends; False: there is none."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=contact_id) is not None
