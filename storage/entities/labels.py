"""Labels of contacts. A label belongs to one team or to every team."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.errors import Conflict, NotAcceptable
from schemas.ids import AccountId
from storage.entities import memberships
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load, row_of, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transact

QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """A label. It belongs to every team if `team_id` is None. A trigger maintains `contact_count`."""

    id: int
    name: str
    colour: str | None
    team_id: int | None
    contact_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLabel:
    """A locked label."""

    team_id: int | None


async def create(
    db: Db, account_id: AccountId, *, name: str, colour: str | None = None, team_id: int | None = None
) -> LabelRow:
    """Create a label. Raises Conflict if the name is taken, NotAcceptable if the team does not exist."""
    with _name_is_free_and_team_known():
        record = await QUERIES.create(db, account_id=account_id, name=name, colour=colour, team_id=team_id)
    return row_of(LabelRow, record)


async def get(db: Db, account_id: AccountId, label_id: int) -> LabelRow | None:
    """Return a label, or None if the account has no such label."""
    return row_or_none(LabelRow, await QUERIES.get(db, account_id=account_id, id=label_id))


async def page(
    db: Db, account_id: AccountId, *, team_id: int | None, after: int, size: int
) -> list[LabelRow]:
    """Return the labels, of one team if given, after the given id, in the order of creation."""
    records = await QUERIES.page(db, account_id=account_id, team_id=team_id, after=after, size=size)
    return rows_of(LabelRow, records)


async def of_contact(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[LabelRow]:
    """Return the labels of a contact after the given id, ordered by id."""
    records = await QUERIES.of_contact(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows_of(LabelRow, records)


async def change(db: Db, account_id: AccountId, label_id: int, changes: Mapping[str, Any]) -> LabelRow | None:
    """Set `name`, `colour` or `team_id` of a label and return it, or None if it does not exist.

    Raises what `create` raises.
    """
    columns = {name: changes.get(name) for name in ("name", "colour", "team_id")}
    with _name_is_free_and_team_known():
        record = await QUERIES.change(db, account_id=account_id, id=label_id, given=list(changes), **columns)
    return row_or_none(LabelRow, record)


async def delete(pool: Pool, account_id: AccountId, label_id: int) -> bool:
    """Delete a label and its memberships. Return False if it does not exist.

    The lock waits for transactions that add members. A transaction that deletes a contact locks in the other
    order, members first. PostgreSQL aborts one of the two as a deadlock, and it runs again.
    """

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=label_id) is None:
            return False
        await memberships.forget_owner(conn, account_id, "label", label_id)
        await QUERIES.delete(conn, account_id=account_id, id=label_id)
        return True

    return await transact(pool, work)


async def lock_shared(conn: Conn, account_id: AccountId, label_id: int) -> LockedLabel | None:
    """Lock a label against deletion (FOR KEY SHARE). Return None if it does not exist."""
    return row_or_none(LockedLabel, await QUERIES.lock_shared(conn, account_id=account_id, id=label_id))


def unknown_team() -> NotAcceptable:
    """Return the error for a team that the account does not have."""
    return NotAcceptable(
        "team_id names no team of this account: list the teams to find its id",
        code="unknown_team",
        param="team_id",
    )


def _name_is_free_and_team_known() -> AbstractContextManager[None]:
    message = "the team already has a label with this name: choose another name"
    conflict = Conflict(message, code="label_exists", param="name")
    return violations_as(labels_name=conflict, labels_team=unknown_team())
