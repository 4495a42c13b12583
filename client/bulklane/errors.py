"""The exceptions of the client.

BulklaneError
├── ConfigurationError      no key, no URL, or a value that cannot be used
├── SourceError             what was given to `submit` cannot be sent
│   └── RowError            one of its rows cannot be sent
├── ConnectionLost          no response, after all attempts
├── WaitTimeout             the time of `wait` is up; the job goes on (also a TimeoutError)
└── APIError                the service refused the request
    ├── InvalidRequestError     400, 413, 415, 422
    ├── AuthenticationError     401
    ├── PermissionDeniedError   403
    ├── NotFoundError           404
    ├── ConflictError           409
    ├── RateLimitError          429
    └── ServerError             500 and above
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulklane.models import JobSnapshot


class BulklaneError(Exception):
    """The base class of all errors of this client."""


class ConfigurationError(BulklaneError, ValueError):
    """The client lacks something, or was given something that it cannot use."""


class SourceError(BulklaneError, ValueError):
    """What was given to `submit` cannot be sent."""


class RowError(SourceError):
    """A row cannot be sent. `index` is its position, from 0."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(f"row {index} (counted from 0) {message}")
        self.index = index


class ConnectionLost(BulklaneError):
    """No response came, after all attempts. `sent` tells whether the service may have seen the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class WaitTimeout(BulklaneError, TimeoutError):
    """The job has not ended in time. It goes on; `job` is its last known state."""

    def __init__(self, job: "JobSnapshot", seconds: float) -> None:
        super().__init__(
            f"{job.id} has not ended within {seconds:g} seconds: it was {job.state}, and goes on"
        )
        self.job = job


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a request. `param` is the place in it; empty: there is none."""

    type: str
    code: str
    message: str
    param: str = ""
    request_id: str = ""


class APIError(BulklaneError):
    """The service refused the request.

    `status` is the HTTP status, `code` is permanent, `param` the place in the request (or None), `request_id`
    the id to send with a bug report. `problems` has everything that is wrong. `retry_after` is in seconds.
    """

    def __init__(self, status: int, problems: list[Problem], *, retry_after: float | None = None) -> None:
        first = problems[0]
        place = f" ({first.param})" if first.param else ""
        more = f" and {len(problems) - 1} more problems" if len(problems) > 1 else ""
        super().__init__(f"{status} {first.code}{place}: {first.message}{more} [{first.request_id}]")
        self.status = status
        self.problems = problems
        self.type = first.type
        self.code = first.code
        self.message = first.message
        self.param = first.param or None
        self.request_id = first.request_id or None
        self.retry_after = retry_after


class InvalidRequestError(APIError):
    """The request is not well-formed, too large, or not acceptable (400, 413, 415, 422)."""


class AuthenticationError(APIError):
    """There is no key, or a wrong one (401)."""


class PermissionDeniedError(APIError):
    """The key may not do this (403)."""


class NotFoundError(APIError):
    """There is no such thing in this account (404)."""


class ConflictError(APIError):
    """The state of the thing does not allow it (409)."""


class RateLimitError(APIError):
    """A limit of the account is reached, also after all attempts (429)."""


class ServerError(APIError):
    """The service, or something in front of it, failed (500 and above)."""


BY_STATUS: dict[int, type[APIError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitError,
}


def class_of(status: int) -> type[APIError]:
    """Return the class of the errors with an HTTP status."""
    return ServerError if status >= 500 else BY_STATUS.get(status, APIError)
