"""The deliveries to a webhook as its client sees them: list them, test, send again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.ids import MAX_NUMBER, AccountId, JobId
from schemas.webhooks.event_types import TEST, DeliveryState
from storage.postgres.named_queries import Db, load
from storage.postgres.pool import Pool

REPLAYED = 1_000  # by one statement
QUERIES = load(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery, with its last attempts, the oldest first. If it waits, the next one is made at `due_at`."""

    id: UUID
    number: int
    event: str
    job_id: JobId | None
    state: DeliveryState
    due_at: datetime
    attempts: Sequence[dict[str, Any]]
    created_at: datetime
    ended_at: datetime | None


async def page(
    db: Db,
    account_id: AccountId,
    webhook_id: str,
    *,
    states: Sequence[DeliveryState],
    before: int | None,
    size: int,
) -> list[DeliveryRow]:
    """Return deliveries in these states, the newest first, before a number; None: the newest of all."""
    rows = await QUERIES.page(
        db,
        account_id=account_id,
        webhook_id=webhook_id,
        states=[state.value for state in states],
        before=MAX_NUMBER if before is None else before,
        size=size,
    )
    return [_row(row) for row in rows]


async def get(db: Db, account_id: AccountId, webhook_id: str, delivery_id: UUID) -> DeliveryRow | None:
    """Return a delivery, or None if the webhook has no such delivery."""
    row = await QUERIES.get(db, account_id=account_id, webhook_id=webhook_id, id=delivery_id)
    return None if row is None else _row(row)


async def newest(db: Db, account_id: AccountId) -> dict[str, DeliveryRow]:
    """Return the newest delivery to each webhook of an account, by the id of the webhook."""
    rows = await QUERIES.newest(db, account_id=account_id)
    return {row["webhook_id"]: _row(row) for row in rows}


async def queue_test(db: Db, account_id: AccountId, webhook_id: str) -> DeliveryRow | None:
    """Queue a message of the event TEST, or return None if there is no such webhook."""
    row = await QUERIES.queue_test(db, account_id=account_id, webhook_id=webhook_id, event=TEST)
    return None if row is None else _row(row)


async def replay(db: Db, account_id: AccountId, webhook_id: str, delivery_id: UUID) -> DeliveryRow | None:
    """Queue a delivery again. Returns None if it has not ended, or does not exist."""
    row = await QUERIES.replay(db, account_id=account_id, webhook_id=webhook_id, id=delivery_id)
    return None if row is None else _row(row)


async def replay_failed(pool: Pool, account_id: AccountId, webhook_id: str, since: datetime) -> int:
    """Queue all deliveries again that were made since a time and have failed. Return their number."""
    total = 0
    while True:
        count: int = await QUERIES.replay_failed(
            pool, account_id=account_id, webhook_id=webhook_id, since=since, rows=REPLAYED
        )
        total += count
        if count < REPLAYED:
            return total


def _row(record: Any) -> DeliveryRow:
    columns = {field.name: record[field.name] for field in fields(DeliveryRow)}
    return DeliveryRow(
        **columns
        | {"state": DeliveryState(columns["state"]), "attempts": json.loads(columns["attempts"] or "[]")}
    )
