"""How the service is, as a client reads it."""

from typing import Literal

from schemas.wire.base import Wire


class Health(Wire):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Wire):
    """Whether it can do its work, and if not, what is missing."""

    status: Literal["ready", "not ready"]
    postgres: bool
    redis: bool
