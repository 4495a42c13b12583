"""The webhooks of an account: where to, what, and with which secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.errors import Conflict
from schemas.ids import AccountId
from storage.postgres.named_queries import Db, load, row_or_none, rows_of
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transact

MOST = 20  # webhooks of an account
OVERLAP_SECONDS = 86_400.0  # after a rotation, the last secret signs so long, too
DELETED = 1_000  # deliveries, by one statement
QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRow:
    """A webhook. `off_reason` is an OffReason while the state is `off`.

    `failing_since` is the time of the first failure since the last success; None: there is none.
    """

    id: str
    url: str
    events: list[str]
    ordered: bool
    description: str | None
    state: str
    off_reason: str | None
    off_at: datetime | None
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None
    failures: int
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime


async def create(
    db: Db, account_id: AccountId, webhook_id: str, fields: Mapping[str, Any], *, secret: bytes
) -> WebhookRow | None:
    """Create a webhook, or return None if there is one with this id. Raises Conflict if there are MOST."""
    row = await QUERIES.create(db, account_id=account_id, id=webhook_id, **fields, secret=secret, most=MOST)
    if row is None and await get(db, account_id, webhook_id) is None:
        message = f"the account has {MOST} webhooks, which is the most: delete one, or change one"
        raise Conflict(message, code="too_many_webhooks")
    return row_or_none(WebhookRow, row)


async def get(db: Db, account_id: AccountId, webhook_id: str) -> WebhookRow | None:
    """Return a webhook, or None if the account has no such webhook."""
    return row_or_none(WebhookRow, await QUERIES.get(db, account_id=account_id, id=webhook_id))


async def page(db: Db, account_id: AccountId, *, after: str, size: int) -> list[WebhookRow]:
    """Return the webhooks after the given id, in the order of ids."""
    return rows_of(WebhookRow, await QUERIES.page(db, account_id=account_id, after=after, size=size))


async def change(
    db: Db, account_id: AccountId, webhook_id: str, given: Mapping[str, Any]
) -> WebhookRow | None:
    """Change the given fields of a webhook and return it, or None if there is none."""
    fields = dict.fromkeys(("url", "events", "ordered", "description", "state")) | dict(given)
    row = await QUERIES.change(
        db, account_id=account_id, id=webhook_id, **fields, set_description="description" in given
    )
    return row_or_none(WebhookRow, row)


async def rotate(db: Db, account_id: AccountId, webhook_id: str, *, secret: bytes) -> WebhookRow | None:
    """Give a webhook a new secret and return it. The last one signs for OVERLAP_SECONDS, too."""
    row = await QUERIES.rotate(
        db, account_id=account_id, id=webhook_id, secret=secret, overlap_seconds=OVERLAP_SECONDS
    )
    return row_or_none(WebhookRow, row)


async def delete(pool: Pool, account_id: AccountId, webhook_id: str) -> bool:
    """Delete a webhook with its deliveries. Return False if there is none.

    Most deliveries are deleted before: whoever takes in deliveries, of any account, waits for the lock of the
    webhook.
    """

    async def delete_some(db: Db) -> bool:
        count: int = await QUERIES.delete_deliveries(db, account_id=account_id, id=webhook_id, rows=DELETED)
        return count == DELETED

    async def work(conn: Conn) -> bool:
        gone = await QUERIES.delete(conn, account_id=account_id, id=webhook_id)
        while await delete_some(conn):
            pass
        return gone is not None

    while await delete_some(pool):
        pass
    return await transact(pool, work)
