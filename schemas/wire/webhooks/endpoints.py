"""Webhooks and deliveries: the bodies of requests and the views."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool
from pydantic_core import PydanticCustomError

from schemas.webhooks.event_types import DeliveryState, OffReason, WebhookEvent
from schemas.webhooks.urls import MAX_URL, problem_of
from schemas.wire.base import Wire
from schemas.wire.query_models import Moment
from schemas.wire.resource_bodies import Change, JsonBody, Name


def _url(text: str) -> str:
    if problem := problem_of(text):
        raise PydanticCustomError("no_webhook_url", "{problem}", {"problem": problem})
    return text


def _distinct(events: list[WebhookEvent]) -> list[WebhookEvent]:
    return list(dict.fromkeys(events))


Url = Annotated[str, AfterValidator(_url), Field(json_schema_extra={"format": "uri", "maxLength": MAX_URL})]
Events = Annotated[list[WebhookEvent], Field(min_length=1, max_length=20), AfterValidator(_distinct)]
State = Literal["on", "off"]


class NewWebhook(JsonBody):
    """Where to send, and what: every event without `events`."""

    url: Url
    events: Events = Field(default_factory=lambda: list(WebhookEvent))
    ordered: StrictBool = False
    description: Name | None = None


class WebhookChange(Change):
    """The new values of a webhook. `state` switches it off and on; null removes the description."""

    url: Url = ""
    events: Events = Field(default_factory=list)
    ordered: StrictBool = False
    description: Name | None = None
    state: State = "on"


class ReplayBody(JsonBody):
    """The time from which on failed deliveries are sent again."""

    since: Moment


class Webhook(Wire):
    """An endpoint of yours, and the events that are sent to it."""

    id: str
    url: str
    events: list[WebhookEvent]
    ordered: bool  # one message at a time, in the order of events
    description: str | None
    state: State
    off_reason: OffReason | None  # why it is off
    off_at: datetime | None
    failing_since: datetime | None  # the first failed attempt since the last success
    failures: int  # failed attempts since the last success
    created_at: datetime
    updated_at: datetime


class NewWebhookView(Webhook):
    """A webhook that was created, with its secret."""

    secret: str  # whsec_…


class WebhookSecret(Wire):
    """The secrets that sign the messages. The previous one signs, too, until it expires."""

    secret: str  # whsec_…
    previous_secret: str | None
    previous_expires_at: datetime | None


class Attempt(Wire):
    """One attempt to deliver a message."""

    at: datetime
    status: int | None  # null: no answer
    error: str | None  # why there is no answer
    milliseconds: int
    answer: str  # the first 1,024 bytes


class Delivery(Wire):
    """One message to a webhook. Its id is the `webhook-id` of every attempt."""

    id: str  # msg_…
    event: str
    job_id: str | None  # null: a test
    state: DeliveryState
    next_attempt_at: datetime | None
    attempts: list[Attempt]  # at most the last 20
    created_at: datetime
    ended_at: datetime | None


class Replayed(Wire):
    """The number of deliveries that are sent again."""

    replayed: int


def attempt_json(**fields: Any) -> str:
    """Return an attempt as it is stored."""
    return Attempt(**fields).model_dump_json()
