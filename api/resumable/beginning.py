"""Check the first bytes of an upload as the whole will be read, so that a wrong file is refused early."""

from collections.abc import AsyncIterator
from contextlib import closing

from aiohttp import web

from api.resumable.bulk_request import bulk_request_for
from api.resumable.conversion import ending_upload
from storage.resumable.resumable_uploads import StagedUpload

BEGINNING_BYTES = 128 * 1024  # a header row has at most 64 KiB, which are twice as many in UTF-16


class _EnoughRead(Exception):
    """The first bytes are read, and nothing is wrong with them."""


async def check_beginning(request: web.Request, upload: StagedUpload, body: bytes) -> None:
    """Read the first bytes of an upload, and drop what they say. Raises what is wrong, and ends the upload.

    The reading is that of the whole: decompression, charset, header row. It stops before the end, so what is
    wrong with a cut file is not found.
    """
    bulk = bulk_request_for(request, upload, _only(body[:BEGINNING_BYTES]))
    async with ending_upload(request, upload):
        with closing(await bulk.open()):
            try:
                async for _ in bulk.parts():
                    pass
            except _EnoughRead:
                return


async def _only(body: bytes) -> AsyncIterator[bytes]:
    yield body
    raise _EnoughRead
