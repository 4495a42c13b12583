"""Audiences: sets of contacts to send to."""

from schemas.ids import AccountId
from storage.entities import memberships
from storage.entities.named import Named
from storage.postgres.pool import Conn, Pool
from storage.postgres.queries import load

QUERIES = load(__name__)
AUDIENCES = Named(QUERIES, constraint="audiences_name", code="audience_exists", noun="an audience")

create, get, page, rename = AUDIENCES.create, AUDIENCES.get, AUDIENCES.page, AUDIENCES.rename


async def delete(pool: Pool, account_id: AccountId, id_: int) -> bool:
    """Take all contacts out of the audience, and it away; False: there is none."""
    return await memberships.delete_owner(pool, QUERIES, account_id, "audience", id_)


async def lock_shared(conn: Conn, account_id: AccountId, audience_id: int) -> bool:
    """Keep an audience from being deleted; False: it is gone."""
    return await QUERIES.lock_shared(conn, account_id=account_id, id=audience_id) is not None
