"""Describe requests, and turn responses into values or errors. Pure: no connection is opened here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from bulklane.errors import APIError, ConfigurationError, Problem, class_of


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "unset"


UNSET = Unset.UNSET  # an argument that was not given, where None means "clear the field"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request. `repeatable`: a second one would change nothing more, so a lost response is no problem.

    `deletes`: if the outcome of an attempt is not known, a 404 of the next one says that it has succeeded.
    `seconds`: how long the service may be silent. The body is `json` or `content`.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    repeatable: bool = False
    deletes: bool = False
    seconds: float = 60.0


def get(path: str, **query: Any) -> Call:
    """Return a GET; parameters that are None are left out."""
    return Call(method="GET", path=path, query=query, repeatable=True)


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that were given."""
    return {name: value for name, value in fields.items() if value is not UNSET}


def path(*segments: str | int) -> str:
    """Return a path from segments, escaped. Raises ConfigurationError for one that is no id."""
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise ConfigurationError(f"{segment!r} is no id: give the id of the object")
    return "".join(f"/{quote(str(segment), safe='')}" for segment in segments)


def submit_headers(file_name: str | None, idempotency_key: str | None) -> dict[str, str]:
    """Return the headers of a submission; a default wait of the account must not hold the response back."""
    headers = {"Prefer": "respond-async", "Idempotency-Key": idempotency_key or str(uuid4())}
    if file_name:
        headers["Content-Disposition"] = (
            f"attachment; filename*=UTF-8''{quote(file_name, safe='', errors='replace')}"
        )
    return headers


def query_text(query: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the parameters as texts, without those that are None."""
    return tuple((name, _text(value)) for name, value in query.items() if value is not None)


def value_of(content: bytes) -> Any:
    """Return the JSON of a response. Raises ConfigurationError if it is none."""
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        shown = content[:100].decode(errors="replace")
        raise ConfigurationError(
            f"the response is not JSON but {shown!r}: is the URL that of a Bulklane api?"
        ) from None


def error_of(status: int, content: bytes, headers: Mapping[str, str]) -> APIError:
    """Return the error that a response with another status than 2xx stands for."""
    return class_of(status)(status, _problems(status, content, headers), retry_after=_retry_after(headers))


def _problems(status: int, content: bytes, headers: Mapping[str, str]) -> list[Problem]:
    try:
        envelope = json.loads(content)
        found = envelope.get("errors") or [envelope["error"]]
        names = Problem.__dataclass_fields__
        return [Problem(**{name: text for name, text in one.items() if name in names}) for one in found]
    except (ValueError, KeyError, TypeError, AttributeError):  # of a proxy, or no api at all
        message = content[:200].decode(errors="replace") or "the response has no body"
        request_id = headers.get("X-Request-Id", "")
        return [Problem(type="api_error", code=f"http_{status}", message=message, request_id=request_id)]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After. A date, which the service never sends, counts as none."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.astimezone().isoformat()
        case str():
            return value
        case list() | tuple() | set() | frozenset():
            return ",".join(_text(inner) for inner in value)
        case _:
            return str(value)
