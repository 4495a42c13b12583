"""The messages that are sent to webhooks."""

from datetime import datetime
from typing import Literal

from schemas.webhooks.event_types import WebhookEvent
from schemas.wire.base import Wire
from schemas.wire.jobs import JobProgress


class JobMessage(Wire):
    """The body of a message about a job. `data` is the job as it is when the attempt is made."""

    type: WebhookEvent
    timestamp: datetime  # of the event
    data: JobProgress


class TestData(Wire):
    """What the message of a test tells."""

    webhook_id: str


class TestMessage(Wire):
    """The body of the message of a test."""

    type: Literal["webhook.test"]
    timestamp: datetime
    data: TestData
