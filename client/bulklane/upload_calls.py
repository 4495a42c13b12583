"""The requests of resumable uploads (draft-ietf-httpbis-resumable-upload). Pure."""

import base64
from collections.abc import Mapping
from typing import Any

from bulklane.calls import Call, path, submit_headers
from bulklane.errors import ConfigurationError, SourceError
from bulklane.models import UploadSnapshot

VERSION = {"Upload-Draft-Interop-Version": "9"}  # of the draft
APPEND_SECONDS = 60.0
MAKE_SECONDS = 120.0  # with the last bytes, the service reads all of them before it responds


def create(
    query: Mapping[str, Any],
    described: Mapping[str, str],
    *,
    file_name: str | None,
    idempotency_key: str | None,
    length: int | None,
) -> Call:
    """Return the request that creates an upload."""
    known = {} if length is None else {"Upload-Length": str(length)}
    headers = {**VERSION, **described, **submit_headers(file_name, idempotency_key), **known}
    return Call(
        method="POST",
        path="/v1/uploads",
        query=query,
        headers={**headers, "Upload-Complete": "?0"},
        content=b"",
        repeatable=True,
    )


def append(upload_id: str, offset: int, piece: bytes, *, complete: bool) -> Call:
    """Return the request that appends a piece."""
    headers = {
        **VERSION,
        "Content-Type": "application/partial-upload",
        "Upload-Offset": str(offset),
        "Upload-Complete": "?1" if complete else "?0",
        "Prefer": "respond-async",
    }
    return Call(
        method="PATCH",
        path=path("v1", "uploads", upload_id),
        headers=headers,
        content=piece,
        seconds=MAKE_SECONDS if complete else APPEND_SECONDS,
    )


def cancel(upload_id: str) -> Call:
    """Return the request that gives an upload up."""
    place = path("v1", "uploads", upload_id)
    return Call(method="DELETE", path=place, headers=VERSION, repeatable=True, deletes=True)


def ask_offset(upload_id: str) -> Call:
    """Return the request for the offset."""
    return Call(method="HEAD", path=path("v1", "uploads", upload_id), headers=VERSION, repeatable=True)


def ask_digest(upload_id: str) -> Call:
    """Return the request for an upload with the digest of what has arrived."""
    headers = {**VERSION, "Want-Repr-Digest": "sha-256=10"}
    return Call(
        method="GET",
        path=path("v1", "uploads", upload_id),
        headers=headers,
        repeatable=True,
        seconds=MAKE_SECONDS,
    )


def offset_in(headers: Mapping[str, str]) -> int:
    """Return the offset that a response tells. Raises ConfigurationError if it tells none."""
    text = headers.get("Upload-Offset", "")
    if not (text.isascii() and text.isdigit()):
        raise ConfigurationError("the response has no Upload-Offset: is the URL that of a Bulklane api?")
    return int(text)


def digest_in(headers: Mapping[str, str]) -> bytes | None:
    """Return the SHA-256 of Repr-Digest; None if there is none."""
    name, _, value = headers.get("Repr-Digest", "").partition("=:")
    return base64.b64decode(value.rstrip(":")) if name == "sha-256" else None


def check_length(upload: UploadSnapshot, size: int | None) -> None:
    """Raise SourceError if a source of this size cannot be that of the upload."""
    if size is not None and upload.length is not None and size != upload.length:
        raise SourceError(
            f"the source has {size} bytes, and that of {upload.id} had {upload.length}: "
            "it has changed, so create a new upload"
        )


def check_digest(upload: UploadSnapshot, ours: bytes, theirs: bytes | None) -> None:
    """Raise SourceError if the bytes that have arrived are not the first ones of the source."""
    if theirs is not None and ours != theirs:
        raise SourceError(
            f"the first {upload.offset} bytes of the source are not those that {upload.id} has: "
            "it has changed, so create a new upload"
        )
