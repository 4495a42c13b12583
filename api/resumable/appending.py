"""Append the content of a request to an upload, piece by piece, in constant memory."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from api.accept.room import check_room
from api.http.body_stream import arriving, counted
from api.http.context import API
from api.http.memory import SHARE
from api.resumable.beginning import check_beginning
from api.resumable.conversion import refuse
from api.resumable.interim import send_interim
from api.resumable.upload_fields import LENGTH, LIMIT, OFFSET
from api.resumable.upload_view import limit_of, max_size, on_error
from schemas.errors import BodyTooLarge, Conflict, InconsistentLength, UploadCut
from storage.failpoints import reach
from storage.resumable import resumable_uploads, upload_pieces
from storage.resumable.resumable_uploads import StagedUpload
from storage.resumable.upload_pieces import PIECE_BYTES

PIECES_A_CHECK = 64  # check the account's stored bytes at the first piece, and then after this many


async def append_content(request: web.Request, upload: StagedUpload, *, complete: bool, skip: int = 0) -> int:
    """Append the content of a request; return the new offset. `complete`: it is the end of the upload.

    `skip` bytes at the start of the content have arrived before. Raises UploadCut if the content ends too
    early; what arrived of it is stored. Raises Conflict if a newer request has taken over, BodyTooLarge,
    InconsistentLength, RateLimited, and what is wrong with the first bytes of a file.
    """
    appender = Appender(request, upload)
    try:
        missing = await _append_all(request, appender, skip)
        if complete:
            await appender.check_length(missing=missing)
        return await appender.end(complete=complete)
    finally:
        await asyncio.shield(appender.settle())


async def _append_all(request: web.Request, appender: "Appender", skip: int) -> int:
    """Append the content, also that of a request that is cut; return how much of `skip` is missing."""
    try:
        content = arriving(request.content.iter_any(), request.app[API].ctx.settings)
        async for data in counted(content):
            dropped = min(skip, len(data))
            skip -= dropped
            await appender.add(data[dropped:])
    except (UploadCut, asyncio.CancelledError):
        await asyncio.shield(appender.end(complete=False))
        raise
    return skip


class Appender:
    """Stores what arrives. One piece is stored while the next one fills."""

    def __init__(self, request: web.Request, upload: StagedUpload) -> None:
        self._request = request
        self._upload = upload
        self._api = request.app[API]
        self._most = max_size(self._api.ctx.settings, upload.content_type)
        self._held = bytearray()
        self._start = upload.arrived  # of the next piece
        self._pieces = 0
        self._writing: asyncio.Task[None] | None = None

    async def add(self, data: bytes) -> None:
        """Take bytes; returns when more can be taken."""
        self._held += data
        self._request[SHARE].reach(min(self._start + len(self._held) - self._upload.arrived, 2 * PIECE_BYTES))
        await self._check_size(self._start + len(self._held))
        while len(self._held) >= PIECE_BYTES:
            piece = bytes(self._held[:PIECE_BYTES])
            del self._held[:PIECE_BYTES]
            await self._store(piece, complete=False)

    async def check_length(self, *, missing: int) -> None:
        """Raise InconsistentLength if the end of the content is not the end of the upload."""
        end, length = self._start + len(self._held), self._upload.length
        if missing or (length is not None and end != length):
            raise InconsistentLength(
                f"the content ends at byte {end - missing}, and the upload has {length or end} bytes: "
                "append the rest",
                param=LENGTH,
            )

    async def end(self, *, complete: bool) -> int:
        """Store the rest; return the new offset."""
        if self._held or complete:
            await self._store(bytes(self._held), complete=complete)
            self._held.clear()
        await self._written()
        return self._start

    async def settle(self) -> None:
        """Wait until nothing is written any more: after a response, no interim response may follow."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
            if not self._writing.cancelled():
                self._writing.exception()  # that of the response counts

    async def _store(self, piece: bytes, *, complete: bool) -> None:
        if self._start == 0 and not complete:
            await check_beginning(self._request, self._upload, piece)
        await self._written()
        if piece and self._pieces % PIECES_A_CHECK == 0:  # also of a request with one piece
            await check_room(self._api, self._upload.account_id)
        self._writing = asyncio.create_task(self._insert(self._start, piece, complete=complete))
        self._start += len(piece)
        self._pieces += 1

    async def _insert(self, start: int, piece: bytes, *, complete: bool) -> None:
        arrived = await upload_pieces.append(
            self._api.ctx.pool, self._upload, start, piece, complete=complete
        )
        if arrived is None and not (complete and not piece and await self._is_complete()):
            raise Conflict(
                "a newer request has taken over this upload, or it has ended: ask for its offset with HEAD",
                code="upload_taken_over",
            )
        reach("upload.piece")
        if not complete and arrived is not None:
            send_interim(self._request, {OFFSET: str(arrived)})

    async def _is_complete(self) -> bool:
        """Return whether another request has completed the upload meanwhile."""
        upload = self._upload
        found = await resumable_uploads.get(self._api.ctx.pool, upload.account_id, upload.id)
        return found is not None and found.complete

    async def _written(self) -> None:
        """Wait until the piece is written; a cancellation of this task does not cancel the write."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._writing.result()

    async def _check_size(self, end: int) -> None:
        if end > self._most:
            on_error(self._request, **{LIMIT: limit_of(self._request, self._upload)})
            raise BodyTooLarge(f"the upload is larger than {self._most} bytes: send it in several uploads")
        length = self._upload.length
        if length is not None and end > length:
            error = InconsistentLength(
                f"more bytes arrived than the {length} that were declared: create a new upload", param=LENGTH
            )
            await refuse(self._request, self._upload, error)
            raise error


async def is_empty(request: web.Request) -> bool:
    """Return whether a request has no content."""
    source: AsyncIterator[bytes] = arriving(request.content.iter_any(), request.app[API].ctx.settings)
    return not request.can_read_body or await anext(source, b"") == b""
