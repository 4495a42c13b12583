"""The one tree of errors that end a request.

    BulklaneError                     type of the envelope
    ├── InvalidRequest                invalid_request_error
    │   ├── MalformedBody             … the bytes do not match the declared format
    │   ├── BodyTooLarge
    │   ├── UnsupportedFormat
    │   ├── NotAcceptable             … well-formed, but not acceptable
    │   ├── UploadCut                 … the body is incomplete
    │   └── InconsistentLength        … the lengths that were declared for an upload differ
    ├── NotAuthenticated              authentication_error
    ├── NotPermitted                  permission_error
    ├── NotFound                      not_found
    ├── Conflict                      conflict
    ├── RateLimited                   rate_limit_error
    └── Unavailable                   api_error
        ├── UploadLost                … the server has lost a part of the body
        └── UploadProcessing          … another request makes the job of an upload

A bad row is data, not an exception: see `schemas.item_errors`. `api` maps the errors to HTTP statuses.
"""

from typing import ClassVar


class BulklaneError(Exception):
    """An error that ends a request: what is wrong, where, what to do.

    `code` is permanent and machine-readable, `param` names the place in the request. `retry_after` is in
    seconds; None: waiting does not help, or nobody knows for how long.
    """

    type: ClassVar[str] = "api_error"
    default_code: ClassVar[str] = "internal_error"
    retry_after: int | None = None

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.param = param


class InvalidRequest(BulklaneError):
    """The request is not valid."""

    type = "invalid_request_error"
    default_code = "invalid_request"


class MalformedBody(InvalidRequest):
    """The bytes of the body do not match the declared format or encoding."""

    default_code = "malformed_body"


class BodyTooLarge(InvalidRequest):
    """The body has more bytes or more items than the endpoint accepts."""

    default_code = "body_too_large"


class UnsupportedFormat(InvalidRequest):
    """The content type or the content encoding is not supported."""

    default_code = "unsupported_format"


class NotAcceptable(InvalidRequest):
    """The request is well-formed, but some values are not acceptable; `problems` holds all of them."""

    default_code = "invalid_parameter"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        problems: "tuple[NotAcceptable, ...]" = (),
    ) -> None:
        super().__init__(message, code=code, param=param)
        self.problems = problems


class NotAuthenticated(BulklaneError):
    """The request has no key, or its key is not valid."""

    type = "authentication_error"
    default_code = "invalid_api_key"


class NotPermitted(BulklaneError):
    """The key is valid, but may not do this."""

    type = "permission_error"
    default_code = "insufficient_scope"


class NotFound(BulklaneError):
    """The id is unknown, or it belongs to another account; a client cannot tell which."""

    type = "not_found"
    default_code = "not_found"


class Conflict(BulklaneError):
    """The state of a resource does not allow the request."""

    type = "conflict"
    default_code = "conflict"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, code=code, param=param)
        self.retry_after = retry_after


class RateLimited(BulklaneError):
    """The account has used up its admission window, or has too many unfinished jobs.

    `retry_after` is in whole seconds, rounded up.
    """

    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class Unavailable(BulklaneError):
    """PostgreSQL does not respond or is busy; nothing was stored. `retry_after` is in seconds."""

    default_code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UploadLost(Unavailable):
    """PostgreSQL has lost a part of the body, in a crash before the part was on disk."""

    default_code = "upload_incomplete"


class UploadProcessing(Unavailable):
    """The job of a resumable upload is being made by another request."""

    default_code = "upload_processing"


class InconsistentLength(InvalidRequest):
    """The bytes of a resumable upload, or two declarations of their number, do not fit together."""

    default_code = "inconsistent_upload_length"


class UploadCut(InvalidRequest):
    """The connection ended, or was silent for too long, before the body was complete."""

    default_code = "upload_incomplete"
