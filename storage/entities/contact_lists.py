"""Contact lists: named sets of contacts, active or archived (`archived_at` is not null)."""

import asyncpg

from schemas.ids import AccountId
from storage.entities.named import Named
from storage.postgres.queries import Db, load

QUERIES = load(__name__)
LISTS = Named(QUERIES, constraint="contact_lists_name", code="list_exists", noun="a contact list")

create, get, rename = LISTS.create, LISTS.get, LISTS.rename


async def page(
    db: Db, account_id: AccountId, *, archived: bool, after: int, size: int
) -> list[asyncpg.Record]:
    """The archived or the active lists in the order in which they were made, after the given one."""
    rows: list[asyncpg.Record] = await QUERIES.page(
        db, account_id=account_id, archived=archived, after=after, size=size
    )
    return rows


async def archive(db: Db, account_id: AccountId, id_: int) -> asyncpg.Record | None:
    """The archived list, as it is where it was archived before; None: there is none."""
    row: asyncpg.Record | None = await QUERIES.archive(db, account_id=account_id, id=id_)
    return row or await get(db, account_id, id_)


async def unarchive(db: Db, account_id: AccountId, id_: int) -> asyncpg.Record | None:
    """The active list, as it is where it was active before; None: there is none."""
    row: asyncpg.Record | None = await QUERIES.unarchive(db, account_id=account_id, id=id_)
    return row or await get(db, account_id, id_)
