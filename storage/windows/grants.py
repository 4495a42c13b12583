"""The grants of the item windows: what the window is loaded from when Redis has lost it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.ids import AccountId
from storage.postgres.named_queries import Db, load, row_of
from storage.postgres.pool import Conn
from storage.windows.window import Grant, PastGrant

QUERIES = load(__name__)


class NewGrant(NamedTuple):
    """A grant to store, with the reading of PostgreSQL's clock that its window was asked with."""

    account_id: AccountId
    grant: Grant
    postgres_at: datetime


class Log(NamedTuple):
    """The grants of an account that a window of `window_seconds` needs."""

    account_id: AccountId
    window_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUse:
    """What the stored grants of an account use of its window.

    `reset_seconds` is the time until no grant counts any more; `postgres_at` is what PostgreSQL's clock says.
    """

    items: int
    reset_seconds: float
    postgres_at: datetime


async def add(conn: Conn, grants: Sequence[NewGrant]) -> None:
    """Store grants, one of each account."""
    await QUERIES.add(
        conn,
        account_ids=[new.account_id for new in grants],
        ats=[new.grant.at for new in grants],
        items=[new.grant.granted for new in grants],
        redis_ats=[new.grant.redis_at for new in grants],
        postgres_ats=[new.postgres_at for new in grants],
    )


async def recent(conn: Conn, logs: Sequence[Log]) -> list[list[PastGrant]]:
    """Return, for each of these logs, the newest grant and those of the window before it."""
    found: Mapping[AccountId, list[PastGrant]] = {log.account_id: [] for log in logs}
    rows = await QUERIES.recent(
        conn,
        account_ids=[log.account_id for log in logs],
        windows=[log.window_seconds for log in logs],
    )
    for row in rows:
        found[row["account_id"]].append(
            PastGrant(
                at=row["at"], amount=row["amount"], redis_at=row["redis_at"], postgres_at=row["postgres_at"]
            )
        )
    return [found[log.account_id] for log in logs]


async def used(db: Db, account_id: AccountId, window_seconds: int) -> StoredUse:
    """Return what the stored grants use of the window, for a reader: a claim asks the window itself."""
    return row_of(StoredUse, await QUERIES.used(db, account_id=account_id, window=window_seconds))
