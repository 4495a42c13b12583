"""The bytes of a request's body: decompressed, transcoded, never more than a piece in memory."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from schemas.errors import BodyTooLarge, InvalidRequest, UnsupportedFormat
from schemas.formats.charsets import transcoder_for
from schemas.formats.content_type import charset_of
from schemas.formats.encodings import decoder_for
from schemas.formats.pipe import Pipe, Pipeline


class UploadCut(InvalidRequest):
    """The connection ended, or fell silent, before the body did."""

    default_code = "upload_incomplete"


def pipeline_for(request: web.Request, content_type: str | None) -> Pipe:
    """What turns the bytes on the wire into UTF-8."""
    return Pipeline(
        decoder_for(request.headers.get("Content-Encoding")), transcoder_for(charset_of(content_type))
    )


async def read_pieces(
    source: AsyncIterator[bytes], pipe: Pipe, *, limit: int, idle_seconds: float
) -> AsyncIterator[bytes]:
    """The decoded pieces of a body.

    Raises UploadCut, BodyTooLarge over `limit` decoded bytes, and what the pipe raises.
    """
    size = 0
    async for data in _watched(source, idle_seconds):
        for piece in pipe.feed(data):
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(f"the body is larger than {limit} bytes: send it in several requests")
            yield piece
    for piece in pipe.flush():
        yield piece


async def read_whole(pieces: AsyncIterator[bytes]) -> bytes:
    """All pieces in one; for a body that is bounded."""
    return b"".join([piece async for piece in pieces])


async def source_of(request: web.Request) -> tuple[AsyncIterator[bytes], str | None]:
    """The raw body and its content type: of the one file, where a browser sends multipart/form-data."""
    if not request.content_type.startswith("multipart/"):
        return request.content.iter_any(), request.headers.get("Content-Type")
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader) and part.filename:
            return _chunks(part), part.headers.get("Content-Type")
    raise UnsupportedFormat("the form has no file: send one file as multipart/form-data")


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while data := await part.read_chunk(64 * 1024):
        yield data


async def _watched(source: AsyncIterator[bytes], idle_seconds: float) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                data = await anext(source)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise UploadCut(f"nothing came for {idle_seconds:g} seconds: send it again") from None
        except (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError) as error:
            raise UploadCut("the connection ended before the body did: send it again") from error
        yield data
