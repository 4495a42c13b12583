"""Audiences: sets of contacts that receive messages."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.entities import memberships
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load, row_of, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transact

QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRow:
    """An audience. A trigger maintains `contact_count`."""

    id: int
    name: str
    contact_count: int
    created_at: datetime
    updated_at: datetime


async def create(db: Db, account_id: AccountId, *, name: str) -> AudienceRow:
    """Create an audience. Raises Conflict if the name is taken."""
    with _name_is_free(name):
        return row_of(AudienceRow, await QUERIES.create(db, account_id=account_id, name=name))


async def get(db: Db, account_id: AccountId, audience_id: int) -> AudienceRow | None:
    """Return an audience, or None if the account has no such audience."""
    return row_or_none(AudienceRow, await QUERIES.get(db, account_id=account_id, id=audience_id))


async def page(db: Db, account_id: AccountId, *, after: int, size: int) -> list[AudienceRow]:
    """Return the audiences after the given id, in the order of creation."""
    return rows_of(AudienceRow, await QUERIES.page(db, account_id=account_id, after=after, size=size))


async def of_contact(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[AudienceRow]:
    """Return the audiences of a contact after the given id, ordered by id."""
    records = await QUERIES.of_contact(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows_of(AudienceRow, records)


async def rename(db: Db, account_id: AccountId, audience_id: int, *, name: str) -> AudienceRow | None:
    """Rename an audience and return it, or None if there is none. Raises Conflict if the name is taken."""
    with _name_is_free(name):
        return row_or_none(
            AudienceRow, await QUERIES.rename(db, account_id=account_id, id=audience_id, name=name)
        )


async def delete(pool: Pool, account_id: AccountId, audience_id: int) -> bool:
    """Delete an audience and its memberships. Its contacts stay. Return False if it does not exist.

    The lock waits for transactions that add members. A transaction that deletes a contact locks in the other
    order, members first. PostgreSQL aborts one of the two as a deadlock, and it runs again.
    """

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=audience_id) is None:
            return False
        await memberships.forget_owner(conn, account_id, "audience", audience_id)
        await QUERIES.delete(conn, account_id=account_id, id=audience_id)
        return True

    return await transact(pool, work)


async def lock_shared(conn: Conn, account_id: AccountId, audience_id: int) -> bool:
    """Lock an audience against deletion (FOR KEY SHARE). Return False if it does not exist."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=audience_id) is not None


def _name_is_free(name: str) -> AbstractContextManager[None]:
    message = f"the account already has an audience {name!r}: choose another name"
    return violations_as(audiences_name=Conflict(message, code="audience_exists", param="name"))
