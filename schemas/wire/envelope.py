"""The one envelope of all errors of a request, as a client reads it."""

from typing import Literal

from pydantic import Field

from schemas.wire.base import Wire


class Problem(Wire):
    """What went wrong, where, and what to do about it; `code` is permanent."""

    type: Literal[
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found",
        "conflict",
        "rate_limit_error",
        "api_error",
    ]
    code: str
    message: str
    param: str = ""  # the place in the request; left out where there is none
    request_id: str


class Envelope(Wire):
    """`error` is the first problem; where there are several, `errors` holds all of them."""

    error: Problem
    errors: list[Problem] = Field(default_factory=list)
