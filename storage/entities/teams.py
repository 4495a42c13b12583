"""Teams: labels and contacts can belong to a team."""

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
    """Create a team. Raises Conflict if the name is taken."""
    with _name_is_free(name):
        return row_of(TeamRow, await QUERIES.create(db, account_id=account_id, name=name))


async def get(db: Db, account_id: AccountId, team_id: int) -> TeamRow | None:
    """Return a team, or None if the account has no such team."""
    return row_or_none(TeamRow, await QUERIES.get(db, account_id=account_id, id=team_id))


async def page(db: Db, account_id: AccountId, *, after: int, size: int) -> list[TeamRow]:
    """Return the teams after the given id, in the order of creation."""
    return rows_of(TeamRow, await QUERIES.page(db, account_id=account_id, after=after, size=size))


async def rename(db: Db, account_id: AccountId, team_id: int, *, name: str) -> TeamRow | None:
    """Rename a team and return it, or None if it does not exist. Raises Conflict if the name is taken."""
    with _name_is_free(name):
        return row_or_none(TeamRow, await QUERIES.rename(db, account_id=account_id, id=team_id, name=name))


async def delete(pool: Pool, account_id: AccountId, team_id: int) -> bool:
    """Delete a team. Return False if it does not exist. Raises Conflict if a label or contact uses it."""

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=team_id) is None:
            return False
        if await QUERIES.in_use(conn, account_id=account_id, id=team_id):
            message = "labels or contacts belong to this team: move them to another team or to none first"
            raise Conflict(message, code="team_in_use")
        await QUERIES.delete(conn, account_id=account_id, id=team_id)
        return True

    return await transact(pool, work)


async def lock_shared(conn: Conn, account_id: AccountId, team_id: int) -> bool:
    """Lock a team against deletion (FOR KEY SHARE). Return False if it does not exist."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=team_id) is not None


def _name_is_free(name: str) -> AbstractContextManager[None]:
    message = f"the account already has a team {name!r}: choose another name"
    return violations_as(teams_name=Conflict(message, code="team_exists", param="name"))
