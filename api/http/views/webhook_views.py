"""The views of webhooks and deliveries, made from rows, and their ids in paths."""

from typing import Annotated, Any
from uuid import UUID

from api.http.path_id import PathId
from schemas.ids import read_message_id, show_job_id, show_message_id
from schemas.webhooks.event_types import ENDED, OffReason, WebhookEvent
from schemas.webhooks.signature import show_secret
from schemas.webhooks.urls import read_webhook_id
from schemas.wire.webhooks.endpoints import Attempt, Delivery, NewWebhookView, Webhook, WebhookSecret
from storage.webhooks.deliveries import DeliveryRow
from storage.webhooks.endpoints import WebhookRow

WEBHOOK = PathId(name="webhook", param="webhook_id", read=read_webhook_id, code="unknown_webhook")
DELIVERY = PathId(
    name="delivery",
    param="delivery_id",
    of="the webhook has",
    read=read_message_id,
    code="unknown_delivery",
)

WebhookId = Annotated[str, WEBHOOK]
DeliveryId = Annotated[UUID, DELIVERY]


def webhook_view(row: WebhookRow) -> Webhook:
    """Return a webhook as a client reads it."""
    return Webhook(**_columns(row))


def new_webhook_view(row: WebhookRow) -> NewWebhookView:
    """Return a new webhook, with its secret."""
    return NewWebhookView(**_columns(row), secret=show_secret(row.secret))


def secret_view(row: WebhookRow) -> WebhookSecret:
    """Return the secrets of a webhook."""
    return WebhookSecret(
        secret=show_secret(row.secret),
        previous_secret=show_secret(row.previous_secret) if row.previous_secret else None,
        previous_expires_at=row.previous_until,
    )


def delivery_view(row: DeliveryRow) -> Delivery:
    """Return a delivery as a client reads it."""
    return Delivery(
        id=show_message_id(row.id),
        event=row.event,
        job_id=show_job_id(row.job_id) if row.job_id else None,
        state=row.state,
        next_attempt_at=None if row.state in ENDED else row.due_at,
        attempts=[Attempt(**attempt) for attempt in row.attempts],
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def _columns(row: WebhookRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "events": [WebhookEvent(event) for event in row.events],
        "ordered": row.ordered,
        "description": row.description,
        "state": row.state,
        "off_reason": OffReason(row.off_reason) if row.off_reason else None,
        "off_at": row.off_at,
        "failing_since": row.failing_since,
        "failures": row.failures,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
