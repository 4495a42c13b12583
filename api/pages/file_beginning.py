"""Take the beginning of a file for its preview, or all of a workbook, which can only be read as a whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from aiohttp import web

from api.http.body_stream import arriving
from api.http.context import ACCOUNT, API
from api.http.file_pipe import storing
from api.http.workbook_room import WORKBOOKS, WorkbookPlace
from schemas.errors import BodyTooLarge
from schemas.formats.files.kinds import ZIP


@asynccontextmanager
async def beginning_of(request: web.Request) -> AsyncIterator[tuple[bytes, BinaryIO | None]]:
    """Yield the first bytes of the file that arrives, and the whole file if it is a workbook.

    Raises UploadCut, BodyTooLarge, Unavailable.
    """
    pieces = arriving(request.content.iter_any(), request.app[API].ctx.settings)
    head = b""
    async for data in pieces:
        head += data
        if len(head) >= len(ZIP):
            break
    if not head.startswith(ZIP):
        head += await request.read()
        if len(head) > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size, len(head))
        yield head, None
        return
    place = request.app[WORKBOOKS].place(request[ACCOUNT].id)
    try:
        with storing():
            file = cast(BinaryIO, TemporaryFile())  # noqa: SIM115 - closed below
        with file:
            await _store(request, head, pieces, file, place)
            await place.begin()
            yield head, file
    finally:
        place.close()


async def _store(
    request: web.Request, head: bytes, pieces: AsyncIterator[bytes], file: BinaryIO, place: WorkbookPlace
) -> None:
    """Write the bytes that arrive to the file."""
    most, size = request.app[API].ctx.settings.max_workbook_bytes, len(head)
    with storing():
        file.write(head)
    async for data in pieces:
        size += len(data)
        if size > most:
            raise BodyTooLarge(f"A workbook may have {most} bytes. Save it as CSV, and choose that file.")
        place.store(size)
        with storing():
            file.write(data)
    with storing():
        file.flush()
