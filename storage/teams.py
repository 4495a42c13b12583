"""Teams: who labels and contacts belong to."""

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.named import Named
from storage.pool import Conn, Pool
from storage.queries import load
from storage.transact import transact

QUERIES = load("teams")
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
