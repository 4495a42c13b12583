"""Audiences: sets of contacts to send to."""

from schemas.ids import AccountId
from storage import owners
from storage.named import Named
from storage.pool import Pool
from storage.queries import load

QUERIES = load("audiences")
AUDIENCES = Named(QUERIES, constraint="audiences_name", code="audience_exists", noun="an audience")

create, get, page, rename = AUDIENCES.create, AUDIENCES.get, AUDIENCES.page, AUDIENCES.rename


async def delete(pool: Pool, account_id: AccountId, id_: int) -> bool:
    """Take all contacts out of the audience, and it away; False: there is none."""
    return await owners.delete(pool, QUERIES, account_id, "audience", id_)
