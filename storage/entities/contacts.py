"""Single contacts and pages of contacts: read, add, change, delete."""

import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pydantic_core import to_json

from schemas.errors import Conflict, NotAcceptable
from schemas.ids import AccountId
from schemas.items.contacts import JSON_FIELDS
from schemas.items.phone import normaliser_for
from storage.entities import memberships, opt_ins
from storage.entities.accounts import Account
from storage.entities.contact_columns import ContactRow, contact_parts
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Conn

QUERIES = load(__name__, contact_parts())
PUNCTUATION = frozenset("+-().,/·")  # allowed in a phone number, besides spaces and dashes


async def by_ids(db: Db, account_id: AccountId, ids: Sequence[int]) -> list[ContactRow]:
    """Return contacts in the order of `ids`. Unknown ids are left out."""
    return [ContactRow.of(record) for record in await QUERIES.by_ids(db, account_id=account_id, ids=ids)]


async def id_by_external_id(db: Db, account_id: AccountId, external_id: str) -> int | None:
    """Return the id of the contact that has an external id, or None."""
    id_: int | None = await QUERIES.id_by_external_id(db, account_id=account_id, external_id=external_id)
    return id_


async def get(db: Db, account_id: AccountId, contact_id: int) -> ContactRow | None:
    """Return a contact, or None if the account has no such contact."""
    record = await QUERIES.get(db, account_id=account_id, id=contact_id)
    return ContactRow.of(record) if record else None


async def page(
    db: Db, account: Account, *, search: str | None, size: int, skip: int
) -> tuple[list[ContactRow], int]:
    """Return a page of contacts, newest first, without the first `skip`, and the total number of contacts.

    `search` selects the contacts whose name or phone contains this text. A phone number also matches in the
    national format of the account's region. A text that starts with + must be the start of the phone.
    """
    if search:
        phone_like = _phone_pattern(search)
        phone = normaliser_for(account.region)(search) if phone_like else None
        records = await QUERIES.search(
            db,
            account_id=account.id,
            name_like=_name_pattern(search),
            phone_like=phone_like,
            phone=phone if isinstance(phone, str) else None,
            size=size,
            skip=skip,
        )
    else:
        records = await QUERIES.page(db, account_id=account.id, size=size, skip=skip)
    return [ContactRow.of(record) for record in records if record["id"] is not None], records[0]["total"]


async def insert(db: Db, account_id: AccountId, fields: Mapping[str, Any]) -> ContactRow:
    """Add a contact with these fields. Raises Conflict or NotAcceptable."""
    json_fields = {name: _split(fields.get(name))[0] for name in JSON_FIELDS}
    with _violations_as_errors():
        record = await QUERIES.insert(db, account_id=account_id, fields=_json({**fields, **json_fields}))
    return ContactRow.of(record)


async def change(
    db: Db, account_id: AccountId, contact_id: int, fields: Mapping[str, Any]
) -> ContactRow | None:
    """Set these fields and, in JSON fields, these keys. None clears a field or removes a key.

    Returns the changed contact, or None if the account has no such contact. Raises what `insert` raises.
    """
    columns = {name: value for name, value in fields.items() if name not in JSON_FIELDS}
    keys: dict[str, Any] = {}
    for name in JSON_FIELDS:
        kept, gone = _split(fields.get(name))
        keys |= {name: _json(kept), f"{name}_gone": gone}
    with _violations_as_errors():
        record = await QUERIES.change(db, account_id=account_id, id=contact_id, fields=_json(columns), **keys)
    return ContactRow.of(record) if record else await get(db, account_id, contact_id)


async def delete(conn: Conn, account_id: AccountId, contact_id: int) -> bool:
    """Delete a contact with its memberships and opt-ins. Returns False if the account has no such contact."""
    if await QUERIES.lock(conn, account_id=account_id, id=contact_id) is None:
        return False
    await memberships.forget_contacts(conn, account_id, [contact_id])
    await opt_ins.forget_contacts(conn, account_id, [contact_id])
    await QUERIES.delete(conn, account_id=account_id, id=contact_id)
    return True


async def set_preference(
    conn: Conn, account_id: AccountId, ids: Sequence[int], preference: str, default: str | None
) -> set[int]:
    """Set the communication preference of contacts that the caller has locked.

    A contact without a preference counts as having `default`. Returns the ids of the contacts that changed.
    """
    rows = await QUERIES.set_preference(
        conn, account_id=account_id, ids=ids, preference=preference, default_preference=default
    )
    return {row["id"] for row in rows}


async def delete_many(conn: Conn, account_id: AccountId, ids: Sequence[int]) -> None:
    """Delete contacts that the caller has locked FOR UPDATE, with their memberships and opt-ins.

    Each table needs its own statement, so that the snapshot is newer than the lock.
    """
    await memberships.forget_contacts(conn, account_id, ids)
    await opt_ins.forget_contacts(conn, account_id, ids)
    await QUERIES.delete_many(conn, account_id=account_id, ids=ids)


async def lock_shared(conn: Conn, account_id: AccountId, contact_id: int) -> bool:
    """Lock a contact against deletion (FOR KEY SHARE). Return False if it does not exist."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=contact_id) is not None


def _name_pattern(text: str) -> str:
    """Return the LIKE pattern of the names that contain a text. Wildcards in the text are escaped."""
    for character in ("\\", "%", "_"):
        text = text.replace(character, "\\" + character)
    return f"%{text}%"


def _phone_pattern(text: str) -> str | None:
    """Return the LIKE pattern of the phones that contain the digits of a text.

    Digits of any script count. Returns None for a text that has no digits, or has letters.
    """
    digits = ""
    for character in text:
        if (digit := unicodedata.decimal(character, None)) is not None:
            digits += str(digit)
        elif character not in PUNCTUATION and unicodedata.category(character) not in ("Zs", "Pd"):
            return None
    if not digits:
        return None
    return f"+{digits}%" if text.startswith("+") else f"%{digits}%"


def _split(value: Mapping[str, Any] | None) -> tuple[dict[str, Any], list[str]]:
    """Split a JSON field into the keys to set, with values, and the keys to remove."""
    given = value or {}
    kept = {key: value for key, value in given.items() if value is not None}
    return kept, [key for key in given if key not in kept]


def _json(value: Mapping[str, Any]) -> str:
    return to_json(value).decode()


def _violations_as_errors() -> AbstractContextManager[None]:
    return violations_as(
        contacts_phone=Conflict(
            "a contact already has this phone number: find it by its phone and change it",
            code="contact_exists",
            param="phoneNumber",
        ),
        contacts_external_id=Conflict(
            "another contact has this external id: correct one of the two contacts",
            code="external_id_exists",
            param="externalId",
        ),
        **{f"{name}_size": _too_large(name) for name in JSON_FIELDS},
    )


def _too_large(name: str) -> NotAcceptable:
    message = f"{name} together with the stored keys would exceed 64 KiB: set keys to null to remove them"
    return NotAcceptable(message, code=f"{name}_too_large", param=name)
