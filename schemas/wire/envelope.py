"""The envelope of all errors of a request."""

from typing import Literal

from pydantic import Field

from schemas.wire.base import Wire


class Problem(Wire):
    """What is wrong, where, and what to do; `code` is permanent."""

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
    param: str = ""  # the place in the request; absent if there is none
    request_id: str


class Envelope(Wire):
    """`error` is the first problem; if there are several, `errors` has all of them.

    Some errors of resumable uploads also have the members of a problem type (RFC 9457).
    """

    error: Problem
    errors: list[Problem] = Field(default_factory=list)
    type: str = ""  # a URI
    title: str = ""
    expected_offset: int = Field(default=0, alias="expected-offset")
    provided_offset: int = Field(default=0, alias="provided-offset")
