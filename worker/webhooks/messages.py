"""The messages of webhooks: their bodies, made when an attempt is made, and their signatures."""

from dataclasses import replace
from typing import NamedTuple

from schemas.ids import show_message_id
from schemas.webhooks.event_types import WebhookEvent
from schemas.webhooks.signature import headers_of
from schemas.wire.webhooks.messages import JobMessage, TestData, TestMessage
from storage.inspection.job_progress import progress_of
from storage.pipeline import jobs
from storage.postgres.pool import Pool
from storage.webhooks.sending import LeasedDelivery


class Message(NamedTuple):
    """The body of a message, and the trace of its job: see `schemas.trace_context`."""

    body: bytes
    trace: str | None = None


async def message_of(pool: Pool, delivery: LeasedDelivery) -> Message | None:
    """Return the message of a delivery, or None if its job is gone: it was deleted because of its age."""
    if delivery.job_id is None:
        data = TestData(webhook_id=delivery.webhook_id)
        test = TestMessage(type="webhook.test", timestamp=delivery.created_at, data=data)
        return Message(test.model_dump_json().encode())
    found = await jobs.views(pool, delivery.account_id, [delivery.job_id])
    if not found:
        return None
    job = found[0]
    if delivery.throttled_until is not None:  # the job may go on meanwhile
        job = replace(job, throttled_until=delivery.throttled_until)
    message = JobMessage(
        type=WebhookEvent(delivery.event), timestamp=delivery.created_at, data=progress_of(job)
    )
    return Message(message.model_dump_json().encode(), job.trace)


def headers_for(delivery: LeasedDelivery, body: bytes, now: float) -> dict[str, str]:
    """Return the signed headers of an attempt that is made at `now`, in seconds since 1970."""
    return headers_of(show_message_id(delivery.id), int(now), body, delivery.keys)
