"""The body of a bulk request: its format, its decoded pieces, their fingerprint, and the parts of a job."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from api.accept.form import open_form
from api.http.body_stream import pipeline_for, read_pieces, read_whole
from schemas.formats.content_type import Format, format_for
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter
from schemas.formats.json_array import split_array
from schemas.formats.ndjson import NdjsonCutter
from schemas.operations import OPERATIONS, Operation
from schemas.settings import Settings


class Fingerprint:
    """The SHA-256 of method, path, query and decoded body, computed while the body arrives.

    The same body with another Content-Encoding has the same fingerprint.
    """

    def __init__(self, request: web.Request) -> None:
        query = sorted(request.query.items())
        self._hash = hashlib.sha256(repr((request.method, request.path, query)).encode())

    async def over(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces, and add each to the hash."""
        async for piece in pieces:
            self._hash.update(piece)
            yield piece

    def digest(self) -> bytes:
        """Return the hash of the pieces that have been read."""
        return self._hash.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """The body of a request while it arrives. Its pieces can be read once; None: the body is not read."""

    format: Format
    fingerprint: Fingerprint
    pieces: AsyncIterator[bytes] | None = None

    async def digest(self) -> bytes:
        """Read the remaining pieces, and return the fingerprint of the whole request."""
        if self.pieces is not None:
            async for _ in self.pieces:
                pass
        return self.fingerprint.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPart:
    """A part of a job, and the layout of its CSV file, as `CsvLayout.to_dict` returns it."""

    data: bytes
    layout: dict[str, Any] | None = None


async def open_body(request: web.Request, settings: Settings) -> RequestBody:
    """Open the body of a request.

    Raises UnsupportedFormat, and what `open_form` raises; the pieces raise what `read_pieces` raises.
    """
    source, content_type = await _source_of(request, settings.upload_idle_seconds)
    format_ = format_for(content_type)
    limit = settings.max_json_bytes if format_ is Format.JSON else settings.max_upload_bytes
    pipe = pipeline_for(request, content_type)
    pieces = read_pieces(source, pipe, limit=limit, idle_seconds=settings.upload_idle_seconds)
    fingerprint = Fingerprint(request)
    return RequestBody(format=format_, pieces=fingerprint.over(pieces), fingerprint=fingerprint)


async def cut_parts(
    pieces: AsyncIterator[bytes],
    format_: Format,
    operation: Operation,
    *,
    max_json_items: int,
    renames: Mapping[str, str] | None = None,
) -> AsyncIterator[JobPart]:
    """Cut the pieces of a body into parts; each is yielded as soon as it is full.

    Raises what the pieces raise, MalformedBody, BodyTooLarge, NotAcceptable.
    """
    match format_:
        case Format.JSON:
            text = await read_whole(pieces)
            # in a thread: takes some hundred milliseconds for the largest body
            envelope = await asyncio.to_thread(split_array, text, max_items=max_json_items)
            for data in envelope.parts:
                yield JobPart(data=data)
        case Format.NDJSON:
            async for part in _cut(pieces, NdjsonCutter()):
                yield part
        case Format.CSV:
            items = OPERATIONS[operation].items
            columns = Columns(known=items.known_column, names=items.columns, renames=renames or {})
            async for part in _cut(pieces, CsvCutter(columns)):
                yield part


async def _source_of(request: web.Request, idle_seconds: float) -> tuple[AsyncIterator[bytes], str | None]:
    """Return the raw body and its content type; of a form, those of its file."""
    if request.content_type.startswith("multipart/"):
        return await open_form(request, idle_seconds)
    return request.content.iter_any(), request.headers.get("Content-Type")


async def _cut(pieces: AsyncIterator[bytes], cutter: CsvCutter | NdjsonCutter) -> AsyncIterator[JobPart]:
    async for piece in pieces:
        for data in cutter.feed(piece):
            yield JobPart(data=data, layout=_layout(cutter))
    for data in cutter.flush():
        yield JobPart(data=data, layout=_layout(cutter))


def _layout(cutter: CsvCutter | NdjsonCutter) -> dict[str, Any] | None:
    return cutter.layout.to_dict() if isinstance(cutter, CsvCutter) and cutter.layout else None
