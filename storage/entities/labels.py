"""Labels: marks on contacts, of one team or of every team."""

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
    """A label; `team_id` is None where it is every team's. A trigger keeps `contact_count`."""

    id: int
    name: str
    colour: str | None
    team_id: int | None
    contact_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLabel:
    """What is read of a label when it is locked."""

    team_id: int | None


async def create(
    db: Db, account_id: AccountId, *, name: str, colour: str | None = None, team_id: int | None = None
) -> LabelRow:
    """A new label; raises Conflict, and NotAcceptable where the account has no such team."""
    with _name_is_free_and_team_known():
        record = await QUERIES.create(db, account_id=account_id, name=name, colour=colour, team_id=team_id)
    return row_of(LabelRow, record)


async def get(db: Db, account_id: AccountId, label_id: int) -> LabelRow | None:
    """A label of the account."""
    return row_or_none(LabelRow, await QUERIES.get(db, account_id=account_id, id=label_id))


async def page(
    db: Db, account_id: AccountId, *, team_id: int | None, after: int, size: int
) -> list[LabelRow]:
    """The labels, or those of a team, in the order in which they were made, after the given one."""
    records = await QUERIES.page(db, account_id=account_id, team_id=team_id, after=after, size=size)
    return rows_of(LabelRow, records)


async def of_contact(
    db: Db, account_id: AccountId, contact_id: int, *, after: int, size: int
) -> list[LabelRow]:
    """The labels that a contact carries, by their ids, after the given one."""
    records = await QUERIES.of_contact(
        db, account_id=account_id, contact_id=contact_id, after=after, size=size
    )
    return rows_of(LabelRow, records)


async def change(db: Db, account_id: AccountId, label_id: int, changes: Mapping[str, Any]) -> LabelRow | None:
    """Set `name`, `colour` or `team_id`; None: there is no such label. Raises what `create` raises."""
    columns = {name: changes.get(name) for name in ("name", "colour", "team_id")}
    with _name_is_free_and_team_known():
        record = await QUERIES.change(db, account_id=account_id, id=label_id, given=list(changes), **columns)
    return row_or_none(LabelRow, record)


async def delete(pool: Pool, account_id: AccountId, label_id: int) -> bool:
    """Delete a label, and take it off all contacts; False: there is none.

    The lock waits for transactions that add members. A transaction that deletes a contact locks in the other
    order, members first: one of the two is a deadlock's loser, and runs again.
    """

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=label_id) is None:
            return False
        await memberships.forget_owner(conn, account_id, "label", label_id)
        await QUERIES.delete(conn, account_id=account_id, id=label_id)
        return True

    return await transact(pool, work)


async def lock_shared(conn: Conn, account_id: AccountId, label_id: int) -> LockedLabel | None:
    """Lock a label FOR KEY SHARE, so that it is not deleted meanwhile; None: there is none."""
    return row_or_none(LockedLabel, await QUERIES.lock_shared(conn, account_id=account_id, id=label_id))


def unknown_team() -> NotAcceptable:
    """The error where a request names a team that the account does not have."""
    return NotAcceptable(
        "team_id names no team of this account: list the teams to find its id",
        code="unknown_team",
        param="team_id",
    )


def _name_is_free_and_team_known() -> AbstractContextManager[None]:
    message = "the team has a label of this name already: take another name"
    conflict = Conflict(message, code="label_exists", param="name")
    return violations_as(labels_name=conflict, labels_team=unknown_team())
