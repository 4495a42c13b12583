"""Labels: what contacts carry, of one team or of every team's."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from schemas.errors import Conflict, NotAcceptable
from schemas.ids import AccountId
from storage.entities import memberships
from storage.postgres.pool import Conn, Pool
from storage.postgres.queries import Db, load
from storage.postgres.violations import told

QUERIES = load(__name__)


async def create(
    db: Db, account_id: AccountId, *, name: str, colour: str | None = None, team_id: int | None = None
) -> asyncpg.Record:
    """A new label; raises Conflict, and NotAcceptable where the account has no such team."""
    with told(labels_name=_exists(), labels_team=unknown_team()):
        row: asyncpg.Record = await QUERIES.create(
            db, account_id=account_id, name=name, colour=colour, team_id=team_id
        )
    return row


async def get(db: Db, account_id: AccountId, id_: int) -> asyncpg.Record | None:
    """A label of the account's; `team_id` is None where it is every team's."""
    row: asyncpg.Record | None = await QUERIES.get(db, account_id=account_id, id=id_)
    return row


async def page(
    db: Db, account_id: AccountId, *, team_id: int | None, after: int, size: int
) -> list[asyncpg.Record]:
    """The labels, or those of a team, in the order in which they were made, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.page(
        db, account_id=account_id, team_id=team_id, after=after, size=size
    )
    return rows


async def change(
    db: Db, account_id: AccountId, id_: int, changes: Mapping[str, Any]
) -> asyncpg.Record | None:
    """Set `name`, `colour` or `team_id`; None: there is no such label. Raises what `create` raises."""
    columns = {name: changes.get(name) for name in ("name", "colour", "team_id")}
    with told(labels_name=_exists(), labels_team=unknown_team()):
        row: asyncpg.Record | None = await QUERIES.change(
            db, account_id=account_id, id=id_, given=list(changes), **columns
        )
    return row


async def delete(pool: Pool, account_id: AccountId, id_: int) -> bool:
    """Take the label off all contacts, and away; False: there is none."""
    return await memberships.delete_owner(pool, QUERIES, account_id, "label", id_)


def unknown_team() -> NotAcceptable:
    """The answer where a label is to be, or is sought, of a team that the account does not have."""
    return NotAcceptable(
        "team_id names no team of this account: see GET /v1/teams", code="unknown_team", param="team_id"
    )


def _exists() -> Conflict:
    return Conflict(
        "the team has a label of this name already: take another name", code="label_exists", param="name"
    )


async def lock_shared(conn: Conn, account_id: AccountId, label_id: int) -> asyncpg.Record | None:
    """Keep a label from being deleted: the row has its `team_id`; None: it is gone."""
    row: asyncpg.Record | None = await QUERIES.lock_shared(conn, account_id=account_id, id=label_id)
    return row
