"""Which format a content type declares, and in which charset."""

import re
from email.message import Message
from enum import StrEnum
from typing import Final

from schemas.errors import UnsupportedFormat


class Format(StrEnum):
    """The formats that a body may have."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


_FORMATS: Final = {
    "application/json": Format.JSON,
    "text/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/x-jsonl": Format.NDJSON,
    "application/jsonlines": Format.NDJSON,
    "application/x-jsonlines": Format.NDJSON,
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
    "text/tab-separated-values": Format.CSV,
}
_JSON_SUFFIX: Final = re.compile(r"application/[a-z0-9.+-]+\+json")
_KNOWN: Final = "application/json, application/x-ndjson and text/csv"


def format_for(content_type: str | None) -> Format:
    """The format of a Content-Type header, whatever its parameters. Raises UnsupportedFormat."""
    if not content_type or not content_type.strip():
        raise UnsupportedFormat(
            f"The request has no Content-Type. Known ones are {_KNOWN}.", param="Content-Type"
        )
    essence = content_type.partition(";")[0].strip().lower()
    if essence in _FORMATS:
        return _FORMATS[essence]
    if _JSON_SUFFIX.fullmatch(essence):
        return Format.JSON
    raise UnsupportedFormat(
        f"The content type {essence[:100]!r} is not known. Known ones are {_KNOWN}.", param="Content-Type"
    )


def charset_of(content_type: str | None) -> str | None:
    """The `charset` parameter of a Content-Type header, in lower case; None where there is none."""
    header = Message()
    header["Content-Type"] = " ".join((content_type or "").split())  # no line break may get in
    return header.get_content_charset()
