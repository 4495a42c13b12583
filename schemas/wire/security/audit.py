"""The audit of a job."""

from datetime import datetime
from typing import Literal

from schemas.wire.base import Wire


class CallerView(Wire):
    """Who made a request, and from where."""

    kind: Literal["key", "operator"]
    key_id: str | None  # null: the operator
    key_name: str | None
    session: bool  # a browser that was signed in
    address: str | None  # IPv4 or IPv6; null: unknown, or that of the operator
    user_agent: str | None  # at most 100 characters
    request_id: str


class AuditEntry(Wire):
    """Something that was done to a job."""

    action: Literal["submitted", "cancelled", "retried", "undone"]
    at: datetime
    by: CallerView | None  # null: a release that did not record it
    job_id: str | None  # the job that the action made
