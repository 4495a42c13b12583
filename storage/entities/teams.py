"""Teams: labels and contacts belong to them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.postgres.db_errors import violations_as
from storage.postgres.named_queries import Db, load, row_of, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transact

QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRow:
    """A team."""

    id: int
    name: str
    created_at: datetime
    updated_at: datetime


async def create(db: Db, account_id: AccountId, *, name: str) -> TeamRow:
    """A new team; raises Conflict."""
    with _name_is_free(name):
        return row_of(TeamRow, await QUERIES.create(db, account_id=account_id, name=name))


async def get(db: Db, account_id: AccountId, team_id: int) -> TeamRow | None:
    """A team of the account."""
    return row_or_none(TeamRow, await QUERIES.get(db, account_id=account_id, id=team_id))


async def page(db: Db, account_id: AccountId, *, after: int, size: int) -> list[TeamRow]:
    """The teams in the order in which they were made, after the given one."""
    return rows_of(TeamRow, await QUERIES.page(db, account_id=account_id, after=after, size=size))


async def rename(db: Db, account_id: AccountId, team_id: int, *, name: str) -> TeamRow | None:
    """The renamed team; None: there is none. Raises Conflict."""
    with _name_is_free(name):
        return row_or_none(TeamRow, await QUERIES.rename(db, account_id=account_id, id=team_id, name=name))


async def delete(pool: Pool, account_id: AccountId, team_id: int) -> bool:
    """Delete a team; False: there is none. Raises Conflict while a label or a contact belongs to it."""

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=team_id) is None:
            return False
        if await QUERIES.in_use(conn, account_id=account_id, id=team_id):
            message = "labels or contacts belong to this team: give them to another one, or to none, first"
            raise Conflict(message, code="team_in_use")
        await QUERIES.delete(conn, account_id=account_id, id=team_id)
        return True

    return await transact(pool, work)


async def lock_shared(conn: Conn, account_id: AccountId, team_id: int) -> bool:
    """Lock a team FOR KEY SHARE, so that it is not deleted meanwhile; False: there is none."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=team_id) is not None


def _name_is_free(name: str) -> AbstractContextManager[None]:
    message = f"the account has a team {name!r} already: take another name"
    return violations_as(teams_name=Conflict(message, code="team_exists", param="name"))
