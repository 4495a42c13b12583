"""Webhooks under test: make them, and read their deliveries."""

from typing import Any

from schemas.ids import AccountId
from schemas.webhooks.event_types import DeliveryState, WebhookEvent
from storage.context import Context
from storage.webhooks import deliveries, endpoints
from storage.webhooks.deliveries import DeliveryRow
from tests.waiting import until

SECRET = b"0123456789abcdef0123456789abcdef"
EVERY = [event.value for event in WebhookEvent]


async def make_webhook(
    ctx: Context, account_id: AccountId, url: str, webhook_id: str = "hook", **fields: Any
) -> None:
    """Create a webhook. Default: every event, in any order."""
    given = {"url": url, "events": EVERY, "ordered": False, "description": None} | fields
    created = await endpoints.create(ctx.pool, account_id, webhook_id, given, secret=SECRET)
    assert created is not None


async def deliveries_of(
    ctx: Context, account_id: AccountId, webhook_id: str = "hook", size: int = 1_000
) -> list[DeliveryRow]:
    """Return the deliveries to a webhook, the oldest first."""
    found = await deliveries.page(
        ctx.pool, account_id, webhook_id, states=list(DeliveryState), before=None, size=size
    )
    return found[::-1]


async def all_ended(
    ctx: Context, account_id: AccountId, webhook_id: str = "hook", seconds: float = 10
) -> None:
    """Wait until no delivery to a webhook waits for an attempt."""

    async def ended() -> bool:
        rows = await deliveries_of(ctx, account_id, webhook_id)
        return all(row.ended_at for row in rows)

    await until(ended, seconds)
