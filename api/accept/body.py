"""The body of a bulk request: its format, its decoded pieces, their fingerprint, and the parts of a job."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from api.accept.form import open_form
from api.accept.idempotency import HEADER
from api.http.body_stream import arriving, counted, pipeline_for, read_pieces, read_whole
from api.http.context import ACCOUNT
from api.http.file_pipe import FilePipe
from api.http.workbook_room import WORKBOOKS, WorkbookPlace
from schemas.errors import MalformedBody, UnsupportedFormat
from schemas.formats.content_type import Format, charset_of, format_for
from schemas.formats.csv_header import Columns, UnknownColumns
from schemas.formats.csv_rows import CsvCutter
from schemas.formats.encodings import Pipeline
from schemas.formats.file_name import file_name_in
from schemas.formats.json_array import split_array
from schemas.formats.likely_causes import READ_BEFORE
from schemas.formats.ndjson import NdjsonBodyCutter, NdjsonCutter
from schemas.formats.records import PART_BYTES
from schemas.formats.undeclared_charset import charset_pipes
from schemas.operations import OPERATIONS, Operation
from schemas.settings import Settings

UPLOAD_HELD_BYTES = 2 * PART_BYTES  # of an upload in memory: a part that fills, and one that is being stored
SHORT_BYTES = 64 * 1024  # are worked on without letting other requests run


class Fingerprint:
    """The SHA-256 of method, path, query and decoded body, computed while the body arrives.

    The same body with another Content-Encoding has the same fingerprint. A request without an idempotency key
    needs none, so its body is not hashed.
    """

    def __init__(self, request: web.Request) -> None:
        query = sorted(request.query.items())
        self._hash = hashlib.sha256(repr((request.method, request.path, query)).encode())
        self._wanted = HEADER in request.headers

    def over(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Return the pieces; each is added to the hash when it is read."""
        return self._hashed(pieces) if self._wanted else pieces

    async def _hashed(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self._hash.update(piece)
            yield piece

    def digest(self) -> bytes:
        """Return the hash of the pieces that have been read."""
        return self._hash.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """The body of a request while it arrives. Its pieces can be read once; None: the body is not read.

    `file_name` is the name of its file at the client, without folders; None: it has none.
    """

    format: Format
    fingerprint: Fingerprint
    file_name: str | None = None
    pieces: AsyncIterator[bytes] | None = None
    file: FilePipe | None = None
    place: WorkbookPlace | None = None

    def close(self) -> None:
        """Free what the body holds besides memory."""
        if self.file is not None:
            self.file.close()
        if self.place is not None:
            self.place.close()

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


async def open_body(
    request: web.Request,
    settings: Settings,
    sheet: str | None = None,
    stored: AsyncIterator[bytes] | None = None,
) -> RequestBody:
    """Open the body of a request. The rows of a workbook are CSV; `sheet` None: those of its first sheet.

    `stored` has the bytes of a body that arrived before; None: it arrives with this request.
    Raises UnsupportedFormat, and what `open_form` raises; the pieces raise what `read_pieces` raises.
    """
    source = stored or counted(arriving(request.content.iter_any(), settings))
    content_type = request.headers.get("Content-Type")
    file_name = file_name_in(request.headers.get("Content-Disposition"))
    if request.content_type.startswith("multipart/"):
        source, content_type, file_name = await open_form(request, source)
    format_, undeclared = _declared(content_type)
    whole = format_ is Format.JSON
    limit = settings.max_json_bytes if whole else settings.max_upload_bytes
    place = request.app[WORKBOOKS].place(request[ACCOUNT].id)
    file = FilePipe(
        Pipeline(*charset_pipes(charset_of(content_type))),
        undeclared or format_,
        sheet=sheet,
        most=settings.max_workbook_bytes,
        store=place.store,
    )
    pieces = read_pieces(
        request,
        source,
        pipeline_for(request, file),
        limit=limit,
        held=limit if whole else UPLOAD_HELD_BYTES,
        file=file,
        place=place,
        unattended=stored is not None,
    )
    return RequestBody(
        format=format_,
        pieces=(fingerprint := Fingerprint(request)).over(pieces),
        fingerprint=fingerprint,
        file_name=file_name,
        file=file,
        place=place,
    )


def _declared(content_type: str | None) -> tuple[Format, UnsupportedFormat | None]:
    """Return the format that a content type declares.

    Any other type may be that of a workbook, which shows itself by its bytes. The error is for other bytes.
    """
    try:
        return format_for(content_type), None
    except UnsupportedFormat as error:
        return Format.CSV, error


async def cut_parts(
    pieces: AsyncIterator[bytes],
    format_: Format,
    operation: Operation,
    *,
    settings: Settings,
    renames: Mapping[str, str] | None = None,
    unknown_columns: UnknownColumns = "refuse",
    declared: bool = True,
) -> AsyncIterator[JobPart]:
    """Cut the pieces of a body into parts; each is yielded as soon as it is full.

    `declared`: a client has declared the format, so the body may be another one.
    Raises what the pieces raise, MalformedBody, BodyTooLarge, NotAcceptable.
    """
    match format_:
        case Format.JSON:
            text = await read_whole(pieces)
            if not text:
                raise MalformedBody(f"The body is empty: send JSON.{READ_BEFORE}", code="invalid_json")
            split = partial(split_array, text, max_items=settings.max_json_items)
            envelope = split() if len(text) < SHORT_BYTES else await asyncio.to_thread(split)
            for data in envelope.parts:
                yield JobPart(data=data)
        case Format.NDJSON:
            cutter = NdjsonBodyCutter if declared else NdjsonCutter
            async for part in _cut(pieces, cutter(max_items=settings.max_upload_items)):
                yield part
        case Format.CSV:
            items = OPERATIONS[operation].items
            columns = Columns(
                known=items.known_column, names=items.columns, renames=renames or {}, unknown=unknown_columns
            )
            async for part in _cut(pieces, CsvCutter(columns, max_items=settings.max_upload_items)):
                yield part


async def _cut(pieces: AsyncIterator[bytes], cutter: CsvCutter | NdjsonCutter) -> AsyncIterator[JobPart]:
    async for piece in pieces:
        is_long = cutter.held + len(piece) >= PART_BYTES
        for data in await _cut_in(cutter.feed, piece, thread=is_long):
            yield JobPart(data=data, layout=_layout(cutter))
    for data in await _cut_in(cutter.flush, thread=cutter.held >= SHORT_BYTES):
        yield JobPart(data=data, layout=_layout(cutter))


async def _cut_in(cut: Callable[..., Iterable[bytes]], *arguments: bytes, thread: bool) -> list[bytes]:
    """Return the parts that `cut` yields. A part of short records takes some hundred milliseconds."""
    return await asyncio.to_thread(list, cut(*arguments)) if thread else list(cut(*arguments))


def _layout(cutter: CsvCutter | NdjsonCutter) -> dict[str, Any] | None:
    return cutter.layout.to_dict() if isinstance(cutter, CsvCutter) and cutter.layout else None
