"""Teams: who labels and contacts belong to."""

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.entities.named import Named
from storage.postgres.pool import Conn, Pool
from storage.postgres.queries import load
from storage.postgres.transactions import transact

QUERIES = load(__name__)
TEAMS = Named(QUERIES, constraint="teams_name", code="team_exists", noun="a team")

create, get, page, rename = TEAMS.create, TEAMS.get, TEAMS.page, TEAMS.rename


async def delete(pool: Pool, account_id: AccountId, id_: int) -> bool:
    """Take the team away; False: there is none. Raises Conflict while a label or a contact carries it."""

    async def work(conn: Conn) -> bool:
        if await QUERIES.lock(conn, account_id=account_id, id=id_) is None:
            return False
        if await QUERIES.in_use(conn, account_id=account_id, id=id_):
            message = "labels or contacts belong to this team: give them to another one, or to none, first"
            raise Conflict(message, code="team_in_use")
        await QUERIES.delete(conn, account_id=account_id, id=id_)
        return True

    return await transact(pool, work)


async def lock_shared(conn: Conn, account_id: AccountId, team_id: int) -> bool:
    """The same of a team."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=team_id) is not None
