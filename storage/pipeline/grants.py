"""The grants of the item windows: what the window is loaded from when Redis has lost it."""

from datetime import datetime

from schemas.ids import AccountId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn
from storage.window import Grant, PastGrant

QUERIES = load(__name__)


async def add(conn: Conn, account_id: AccountId, grant: Grant, postgres_at: datetime) -> None:
    """Store a grant, with the reading of PostgreSQL's clock that its window was asked with."""
    await QUERIES.add(
        conn,
        account_id=account_id,
        at=grant.at,
        items=grant.granted,
        redis_at=grant.redis_at,
        postgres_at=postgres_at,
    )


async def recent(conn: Conn, account_id: AccountId, window_seconds: int) -> list[PastGrant]:
    """Return the newest grant and those of the window before it."""
    rows = await QUERIES.recent(conn, account_id=account_id, window_seconds=window_seconds)
    return [PastGrant(**row) for row in rows]
