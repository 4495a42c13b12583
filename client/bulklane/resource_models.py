"""What the service returns about contacts, lists and so on. A test compares it with the OpenAPI document."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

from bulklane.decode import wire

WebhookEvent = Literal[
    "job.completed", "job.completed_with_errors", "job.failed", "job.cancelled", "job.throttled"
]
WebhookState = Literal["on", "off"]
DeliveryState = Literal["new", "waiting", "sending", "delivered", "failed"]


@dataclass(kw_only=True)
class Contact:
    """A contact. `phone` is E.164."""

    id: str
    name: str | None
    phone: str = wire("phoneNumber")
    language: str | None
    metadata: dict[str, Any]
    organization_id: str = wire("organizationId")
    created_at: datetime = wire("createdAt")
    updated_at: datetime = wire("updatedAt")
    email: str | None
    external_id: str | None = wire("externalId")
    nickname: str | None
    age: int | None
    gender: str | None
    timezone: str | None
    birth_date: str | None = wire("birthDate")
    address: dict[str, Any] | None
    default_channel_id: str | None = wire("defaultChannelId")
    properties: dict[str, Any]
    opted_out: bool = wire("optedOut")
    communication_preference: str = wire("communicationPreference")
    team_id: str | None = wire("teamId")


class ContactFields(TypedDict, total=False):
    """The fields of a new contact or of a change; None clears a field."""

    name: str
    phone: str
    language: str | None
    metadata: dict[str, Any] | None
    email: str | None
    external_id: str | None
    nickname: str | None
    age: int | None
    gender: str | None
    timezone: str | None
    birth_date: str | dict[str, int | None] | None
    address: dict[str, str | None] | None
    default_channel_id: str | None
    properties: dict[str, Any] | None
    opted_out: bool
    communication_preference: str | None
    team_id: str | int | None


@dataclass(kw_only=True)
class ContactList:
    """A named set of contacts. Only an active list accepts new contacts."""

    id: str
    name: str
    state: str
    contact_count: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


@dataclass(kw_only=True)
class Label:
    """A label that contacts can have. `colour` is #rrggbb."""

    id: str
    name: str
    colour: str | None
    team_id: str | None
    contact_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(kw_only=True)
class Team:
    """A team; labels and contacts belong to it."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(kw_only=True)
class Channel:
    """A channel that contacts are opted in to. `id` is a UUID, `phone` E.164."""

    id: str
    name: str
    phone: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(kw_only=True)
class Audience:
    """A set of contacts to send to."""

    id: str
    name: str
    contact_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(kw_only=True)
class Property:
    """A key that the `properties` of a contact may have, and the type of its values."""

    name: str
    type: str
    options: list[str] | None
    created_at: datetime


@dataclass(kw_only=True)
class OptIn:
    """The opt-in or opt-out of a contact for a channel; `by` is "contact" or "account"."""

    channel_id: str
    channel_name: str
    opted_in: bool
    by: str
    updated_at: datetime


@dataclass(kw_only=True)
class NotSearched:
    """Jobs and resumable uploads that are not over."""

    jobs: int
    uploads: int


@dataclass(kw_only=True)
class Erasure:
    """The erasure of a contact; `state` is "waiting", "running" or "completed"."""

    id: str
    contact_id: str
    state: str
    waits_for: NotSearched | None
    checked: int
    erased: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(kw_only=True)
class AccountLimits:
    """The limits of an account in `window_seconds`; 0: no limit."""

    requests: int
    items: int
    window_seconds: int


@dataclass(kw_only=True)
class Account:
    """The account of the key."""

    id: str
    name: str
    region: str | None
    phone_number_id: str | None
    limits: AccountLimits


@dataclass(kw_only=True)
class WindowUse:
    """A sliding window. Without a limit (0), or if the use is not known, the last three fields are None."""

    limit: int
    window_seconds: int
    used: int | None
    remaining: int | None
    empty_at: datetime | None


@dataclass(kw_only=True)
class JobsUse:
    """The jobs that have not ended."""

    limit: int
    used: int


@dataclass(kw_only=True)
class StreamQueue:
    """The accepted jobs of a stream that have not ended."""

    stream: str
    jobs: int
    items: int
    uncounted_jobs: int
    throttled_until: datetime | None


@dataclass(kw_only=True)
class QueueUse:
    """What an account still has to do."""

    jobs: int
    items: int
    uncounted_jobs: int
    items_per_second: float | None
    estimated_end: datetime | None
    streams: list[StreamQueue] = field(default_factory=list)


@dataclass(kw_only=True)
class Limits:
    """How much of each limit the account has used, and what it still has to do."""

    requests: WindowUse
    items: WindowUse
    reads: WindowUse
    unfinished_jobs: JobsUse
    queue: QueueUse
    degraded: bool


@dataclass(kw_only=True)
class Webhook:
    """An endpoint of yours. `off_reason` says why it is off: `client`, `gone` or `failing`."""

    id: str
    url: str
    events: list[str]
    ordered: bool
    description: str | None
    state: str
    off_reason: str | None
    off_at: datetime | None
    failing_since: datetime | None
    failures: int
    created_at: datetime
    updated_at: datetime


@dataclass(kw_only=True)
class NewWebhook(Webhook):
    """A webhook that was created, with the secret that signs its messages."""

    secret: str


@dataclass(kw_only=True)
class WebhookSecret:
    """The secrets that sign the messages; the previous one until it expires."""

    secret: str
    previous_secret: str | None
    previous_expires_at: datetime | None


@dataclass(kw_only=True)
class Attempt:
    """One attempt to deliver a message. Without an answer it has an `error` in place of a `status`."""

    at: datetime
    status: int | None
    error: str | None
    milliseconds: int
    answer: str


@dataclass(kw_only=True)
class Delivery:
    """One message to a webhook, with its last 20 attempts. `job_id` is None for a test."""

    id: str
    event: str
    job_id: str | None
    state: str
    next_attempt_at: datetime | None
    attempts: list[Attempt]
    created_at: datetime
    ended_at: datetime | None
