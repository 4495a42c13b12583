"""The header fields of resumable uploads, read and written as structured fields (RFC 9651). Pure."""

import re

from multidict import MultiMapping

from schemas.errors import InconsistentLength

INTEROP_VERSION = "9"  # of the draft that we implement; only its clients understand our 104
PARTIAL = "application/partial-upload"
COMPLETE, OFFSET, LENGTH, LIMIT = "Upload-Complete", "Upload-Offset", "Upload-Length", "Upload-Limit"
VERSION = "Upload-Draft-Interop-Version"

PARAMETERS = r"[ \t]*(?:;.*)?"
BOOLEAN = re.compile(rf"[ \t]*\?([01]){PARAMETERS}")
INTEGER = re.compile(rf"[ \t]*([0-9]{{1,15}}){PARAMETERS}")


def declared_complete(headers: MultiMapping[str]) -> bool | None:
    """Return the value of Upload-Complete; None: it is absent, or no boolean, which counts as absent."""
    found = _only(headers, COMPLETE, BOOLEAN)
    return None if found is None else found == "1"


def declared_number(headers: MultiMapping[str], name: str) -> int | None:
    """Return the number in a field; None: it is absent, or no number, which counts as absent."""
    found = _only(headers, name, INTEGER)
    return None if found is None else int(found)


def declared_length(
    headers: MultiMapping[str], *, offset: int, complete: bool, content_length: int | None
) -> int | None:
    """Return the length of the representation that a request declares, or None.

    The last request declares it by its Content-Length, too. Raises InconsistentLength if the two differ, or
    if more bytes have arrived.
    """
    length = declared_number(headers, LENGTH)
    implied = offset + content_length if complete and content_length is not None else None
    if length is not None and implied is not None and length != implied:
        raise InconsistentLength(
            f"{LENGTH} is {length}, but the upload ends with this request, at byte {implied}: "
            "correct one of them",
            param=LENGTH,
        )
    if length is not None and length < offset:
        raise InconsistentLength(
            f"{LENGTH} is {length}, but the upload has {offset} bytes already: correct it", param=LENGTH
        )
    return implied if length is None else length


def understands_interim(headers: MultiMapping[str]) -> bool:
    """Return whether the client understands our interim responses."""
    return _only(headers, VERSION, INTEGER) == INTEROP_VERSION


def shown_complete(complete: bool) -> str:
    """Return a boolean of a structured field."""
    return "?1" if complete else "?0"


def shown_limit(*, max_size: int, max_age: int) -> str:
    """Return the value of Upload-Limit."""
    return f"max-size={max_size}, max-age={max_age}"


def _only(headers: MultiMapping[str], name: str, pattern: re.Pattern[str]) -> str | None:
    values = headers.getall(name, [])
    found = pattern.fullmatch(values[0]) if len(values) == 1 else None
    return found[1] if found else None
