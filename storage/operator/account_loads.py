"""The accounts with their load: what waits, and what of their windows is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.ids import AccountId
from storage.entities.accounts import Account
from storage.postgres.named_queries import Db, load, rows_of

QUERIES = load(__name__)

LAST = "\U0010ffff"  # sorts after every other character


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedAccount(Account):
    """An account with its load.

    `receiving`, `queued` and `running` count jobs, `items` the items of these jobs that are not applied yet.
    `requests_used` and `items_used` are what the windows have admitted and granted in the last
    `window_seconds`; None: there is no limit. `throttled_until`: the items wait for their window until then.
    """

    created_at: datetime
    receiving: int
    queued: int
    running: int
    items: int
    oldest_waiting_at: datetime | None  # when the queued job that waits longest was accepted
    throttled_until: datetime | None
    contacts: int
    requests_used: int | None
    items_used: int | None


async def page(db: Db, *, prefix: str = "", after: AccountId | None = None, size: int) -> list[AccountId]:
    """Return the ids of the accounts whose name begins with `prefix`, in any case, in the order of names."""
    first = prefix.lower()
    rows = await QUERIES.page(db, first=first, after=after, beyond=first + LAST, size=size)
    return [AccountId(row["id"]) for row in rows]


async def loads(db: Db, account_ids: Sequence[AccountId]) -> list[LoadedAccount]:
    """Return these accounts with their load, in the order of the ids. Unknown ids are absent."""
    return rows_of(LoadedAccount, await QUERIES.loads(db, ids=account_ids))
