"""The events of webhooks, and the states of webhooks and deliveries."""

from enum import StrEnum


class WebhookEvent(StrEnum):
    """What a webhook can tell. Those of ended jobs are `job.` and the state of the job."""

    COMPLETED = "job.completed"
    COMPLETED_WITH_ERRORS = "job.completed_with_errors"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    THROTTLED = "job.throttled"


TEST = "webhook.test"  # the event of a test; every webhook gets it


class OffReason(StrEnum):
    """Why a webhook is off."""

    CLIENT = "client"  # a client has switched it off
    GONE = "gone"  # the endpoint has answered 410
    FAILING = "failing"  # every attempt has failed for days


class DeliveryState(StrEnum):
    """The state of a delivery."""

    NEW = "new"  # queued, and no worker has seen it
    WAITING = "waiting"  # for its first or its next attempt
    SENDING = "sending"  # a worker has leased it
    DELIVERED = "delivered"
    FAILED = "failed"  # its last attempt has failed, or its job is gone


ENDED = (DeliveryState.DELIVERED, DeliveryState.FAILED)
