"""The messages of webhooks in the OpenAPI document: what a receiver must accept."""

from typing import Any

from api.openapi.schemas import Schemas, Wanted
from schemas.webhooks.event_types import TEST, WebhookEvent
from schemas.wire.webhooks.messages import JobMessage, TestMessage

MESSAGES: tuple[Wanted, ...] = ((JobMessage, "serialization"), (TestMessage, "serialization"))
SUMMARIES = {
    WebhookEvent.COMPLETED.value: "A job ended, and no item failed",
    WebhookEvent.COMPLETED_WITH_ERRORS.value: "A job ended, and some items failed",
    WebhookEvent.FAILED.value: "A job failed as a whole",
    WebhookEvent.CANCELLED.value: "A job was cancelled, or stopped by max_errors",
    WebhookEvent.THROTTLED.value: "A job waits for the item window",
    TEST: "The message of a test",
}
HEADERS = {
    "webhook-id": ("The id of the message, the same in every attempt.", "^msg_[0-9A-HJKMNP-TV-Z]{26}$"),
    "webhook-timestamp": ("The time of the attempt in seconds since 1970.", "^[0-9]+$"),
    "webhook-signature": (
        "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64; several are separated by spaces.",
        "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$",
    ),
}


def messages(schemas: Schemas) -> dict[str, Any]:
    """Return the `webhooks` of the document. The schemas must hold those of MESSAGES."""
    return {
        event: {"post": _operation(event, summary, TestMessage if event == TEST else JobMessage, schemas)}
        for event, summary in SUMMARIES.items()
    }


def _operation(event: str, summary: str, model: type[Any], schemas: Schemas) -> dict[str, Any]:
    body = {"schema": schemas.of(model, "serialization")}
    return {
        "operationId": f"receive_{event.replace('.', '_')}",
        "tags": ["Webhooks"],
        "summary": summary,
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string", "pattern": pattern},
            }
            for name, (text, pattern) in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "2XX": {"description": "The message is taken."},
            "410": {"description": "The endpoint is gone: the webhook is switched off."},
            "default": {"description": "A failure: the message is sent again later."},
        },
    }
