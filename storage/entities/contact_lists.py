"""Contact lists: named sets of contacts, active or archived."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load, row_of, row_or_none, rows_of

QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactListRow:
    """A contact list. It is active while `archived_at` is None. A trigger maintains `contact_count`."""

    id: int
    name: str
    contact_count: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


async def create(db: Db, account_id: AccountId, *, name: str) -> ContactListRow:
    """Create a contact list. Raises Conflict if the name is taken."""
    with _name_is_free(name):
        return row_of(ContactListRow, await QUERIES.create(db, account_id=account_id, name=name))


async def get(db: Db, account_id: AccountId, list_id: int) -> ContactListRow | None:
    """Return a contact list, or None if the account has no such list."""
    return row_or_none(ContactListRow, await QUERIES.get(db, account_id=account_id, id=list_id))


async def page(
    db: Db, account_id: AccountId, *, archived: bool, after: int, size: int
) -> list[ContactListRow]:
    """Return the archived or the active lists after the given id, in the order of creation."""
    records = await QUERIES.page(db, account_id=account_id, archived=archived, after=after, size=size)
    return rows_of(ContactListRow, records)


async def of_contact(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[ContactListRow]:
    """Return the lists of a contact, active or archived, after the given id, ordered by id."""
    records = await QUERIES.of_contact(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows_of(ContactListRow, records)


async def rename(db: Db, account_id: AccountId, list_id: int, *, name: str) -> ContactListRow | None:
    """Rename a list and return it, or None if it does not exist. Raises Conflict if the name is taken."""
    with _name_is_free(name):
        return row_or_none(
            ContactListRow, await QUERIES.rename(db, account_id=account_id, id=list_id, name=name)
        )


async def archive(db: Db, account_id: AccountId, list_id: int) -> ContactListRow | None:
    """Archive a list and return it, or None if it does not exist. An archived list does not change."""
    record = await QUERIES.archive(db, account_id=account_id, id=list_id)
    return row_or_none(ContactListRow, record) or await get(db, account_id, list_id)


async def unarchive(db: Db, account_id: AccountId, list_id: int) -> ContactListRow | None:
    """Make a list active and return it, or None if it does not exist. An active list does not change."""
    record = await QUERIES.unarchive(db, account_id=account_id, id=list_id)
    return row_or_none(ContactListRow, record) or await get(db, account_id, list_id)


def _name_is_free(name: str) -> AbstractContextManager[None]:
    message = f"the account already has a contact list {name!r}: choose another name"
    return violations_as(contact_lists_name=Conflict(message, code="list_exists", param="name"))
