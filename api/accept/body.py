"""The body of a bulk request on its way in: its format, its decoded pieces, and their fingerprint."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from api.accept.form import open_form
from api.http.body_stream import pipeline_for, read_pieces
from schemas.formats.content_type import Format, format_for
from schemas.settings import Settings


class Fingerprint:
    """SHA-256 of method, path, query and decoded body, taken as the body streams by.

    So a body that is sent again with another Content-Encoding is still the same one.
    """

    def __init__(self, request: web.Request) -> None:
        query = sorted(request.query.items())
        self._hash = hashlib.sha256(repr((request.method, request.path, query)).encode())

    async def over(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same pieces."""
        async for piece in pieces:
            self._hash.update(piece)
            yield piece

    def digest(self) -> bytes:
        """The hash of what has streamed by."""
        return self._hash.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A body that is being received; its pieces can be read once."""

    format: Format
    pieces: AsyncIterator[bytes]
    fingerprint: Fingerprint


async def open_inbound(request: web.Request, settings: Settings) -> Inbound:
    """Raises UnsupportedFormat, and what `open_form` raises; the pieces raise what `read_pieces` does."""
    source, content_type = await _source_of(request, settings.upload_idle_seconds)
    format_ = format_for(content_type)
    limit = settings.max_json_bytes if format_ is Format.JSON else settings.max_upload_bytes
    pipe = pipeline_for(request, content_type)
    pieces = read_pieces(source, pipe, limit=limit, idle_seconds=settings.upload_idle_seconds)
    fingerprint = Fingerprint(request)
    return Inbound(format=format_, pieces=fingerprint.over(pieces), fingerprint=fingerprint)


async def _source_of(request: web.Request, idle_seconds: float) -> tuple[AsyncIterator[bytes], str | None]:
    """The raw body and its content type: of the one file, where a browser sends a form."""
    if request.content_type.startswith("multipart/"):
        return await open_form(request, idle_seconds)
    return request.content.iter_any(), request.headers.get("Content-Type")
