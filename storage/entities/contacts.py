"""Single contacts: read, add, change, delete."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from schemas.callers import Caller
from schemas.errors import Conflict, NotAcceptable
from schemas.ids import AccountId
from schemas.items.contacts import COLUMNS, JSON_FIELDS, KEY
from schemas.operations import JobParams, Operation, stream_of
from storage.entities import memberships, opt_ins
from storage.entities.contact_columns import ContactRow, contact_parts
from storage.images.before_images import single_change
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Conn

QUERIES = load(__name__, contact_parts())
STREAM = stream_of(Operation.CONTACTS_UPSERT, JobParams())  # the jobs that set fields of contacts
RECORDED = frozenset(COLUMNS) - {KEY}  # the fields that an item can change


class RecordedChange(NamedTuple):
    """A change of a contact over REST: its number, and the fields that it set, as in an item."""

    contact_id: int
    applied: int
    fields: dict[str, Any]


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


async def insert(
    db: Db, account_id: AccountId, fields: Mapping[str, Any], *, by: Caller | None = None
) -> ContactRow:
    """Add a contact with these fields; `by` is kept for its history. Raises Conflict or NotAcceptable."""
    json_fields = {name: _split(fields.get(name))[0] for name in JSON_FIELDS}
    with _violations_as_errors():
        record = await QUERIES.insert(
            db, account_id=account_id, fields=_json({**fields, **json_fields}), change=single_change(by)
        )
    return ContactRow.of(record)


async def change(
    conn: Conn,
    account_id: AccountId,
    contact_id: int,
    fields: Mapping[str, Any],
    *,
    by: Caller | None = None,
) -> ContactRow | None:
    """Set these fields and, in JSON fields, these keys. None clears a field or removes a key.

    The change is recorded if a job may be changing the contact: see `changes_of`. `by` is kept for the
    history of the contact; None: nothing is kept. Returns the changed
    contact, or None if the account has no such contact. Raises what `insert` raises.
    """
    key = {"account_id": account_id, "id": contact_id}
    if await QUERIES.lock_to_change(conn, **key, change=single_change(by)) is None:
        return None
    as_item = {name: value for name, value in fields.items() if name in RECORDED}
    with _violations_as_errors():
        record = await QUERIES.change(
            conn,
            account_id=account_id,
            id=contact_id,
            as_item=_json(as_item) if as_item else None,
            stream=STREAM,
            **_change_parameters(fields, _json),
        )
    return ContactRow.of(record) if record else await get(conn, account_id, contact_id)


async def changes_of(conn: Conn, account_id: AccountId, ids: Sequence[int]) -> list[RecordedChange]:
    """Return the recorded changes of contacts over REST, in the order of their application.

    Only what a job of the stream `contacts` needs is recorded: changes while such a job is unfinished. The
    caller has locked the contacts.
    """
    rows = await QUERIES.changes_of(conn, account_id=account_id, ids=ids)
    return [RecordedChange(row["contact_id"], row["applied"], from_json(row["fields"])) for row in rows]


async def correct(conn: Conn, account_id: AccountId, corrections: Mapping[int, Mapping[str, Any]]) -> None:
    """Set fields of contacts that the caller has locked. `corrections` maps ids to what `change` takes.

    Raises an error of ROW_REJECTED.
    """
    wanted = [{"id": id_, **_change_parameters(fields, dict)} for id_, fields in corrections.items()]
    await QUERIES.correct(conn, account_id=account_id, corrections=to_json(wanted).decode())


async def delete(conn: Conn, account_id: AccountId, contact_id: int, *, by: Caller | None = None) -> bool:
    """Delete a contact with its memberships and opt-ins. `by` is kept for its history.

    Returns False if the account has no such contact.
    """
    if await QUERIES.lock(conn, account_id=account_id, id=contact_id, change=single_change(by)) is None:
        return False
    await memberships.forget_contacts(conn, account_id, [contact_id])
    await opt_ins.forget_contacts(conn, account_id, [contact_id])
    await QUERIES.delete(conn, account_id=account_id, id=contact_id)
    return True


async def set_preference(
    conn: Conn, account_id: AccountId, places: str, preference: str, default: str | None
) -> set[int]:
    """Set the communication preference of the contacts at `places`, which `references.lock` has locked.

    A contact without a preference counts as having `default`. Returns the ids of the contacts that changed.
    """
    ids: list[int] | None = await QUERIES.set_preference(
        conn, account_id=account_id, places=places, preference=preference, default_preference=default
    )
    return set(ids or ())


async def delete_many(conn: Conn, account_id: AccountId, ids: Sequence[int], places: str) -> None:
    """Delete contacts that `references.lock` has locked for that, with their memberships and opt-ins.

    Each table needs its own statement, so that the snapshot is newer than the lock.
    """
    await memberships.forget_contacts(conn, account_id, ids)
    await opt_ins.forget_contacts(conn, account_id, ids)
    await QUERIES.delete_many(conn, account_id=account_id, places=places)


async def lock_shared(
    conn: Conn, account_id: AccountId, contact_id: int, *, by: Caller | None = None
) -> bool:
    """Lock a contact against deletion (FOR KEY SHARE). Return False if it does not exist.

    `by` is kept in the history of the contact, with the changes of its opt-ins that follow.
    """
    change = single_change(by)
    locked = await QUERIES.lock_shared(conn, account_id=account_id, id=contact_id, change=change)
    return locked is not None


def _change_parameters(
    fields: Mapping[str, Any], as_parameter: Callable[[Mapping[str, Any]], Any]
) -> dict[str, Any]:
    """Return fields as the parameters of a change; `as_parameter` converts each JSON object."""
    parameters: dict[str, Any] = {
        "fields": as_parameter({name: value for name, value in fields.items() if name not in JSON_FIELDS})
    }
    for name in JSON_FIELDS:
        kept, gone = _split(fields.get(name))
        parameters |= {name: as_parameter(kept), f"{name}_gone": gone}
    return parameters


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
