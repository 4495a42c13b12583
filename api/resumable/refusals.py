"""The errors that end a resumable upload, as they are stored to be repeated."""

from collections.abc import Mapping
from typing import Any

from schemas import errors
from schemas.errors import BulklaneError, NotAcceptable

# The bytes and parameters stay what they are, so these errors would come again. All others are temporary.
FINAL: dict[str, type[BulklaneError]] = {
    kind.__name__: kind
    for kind in (
        errors.MalformedBody,
        errors.BodyTooLarge,
        errors.UnsupportedFormat,
        errors.NotAcceptable,
        errors.InconsistentLength,
        errors.NotFound,
    )
}


def is_final(error: BulklaneError) -> bool:
    """Return whether an upload with this error can never become a job."""
    return type(error) in FINAL.values()


def stored(error: BulklaneError) -> dict[str, Any]:
    """Return a final error as JSON."""
    value: dict[str, Any] = {
        "kind": type(error).__name__,
        "code": error.code,
        "message": error.message,
        "param": error.param,
    }
    if isinstance(error, NotAcceptable):
        value["problems"] = [stored(problem) for problem in error.problems[1:]]
    return value


def restored(value: Mapping[str, Any]) -> BulklaneError:
    """Return the error that was stored."""
    kind, what = FINAL[value["kind"]], {"code": value["code"], "param": value["param"]}
    error = kind(value["message"], **what)
    if isinstance(error, NotAcceptable):
        rest = [restored(problem) for problem in value["problems"]]
        error.problems = (error, *(problem for problem in rest if isinstance(problem, NotAcceptable)))
    return error
