"""The bytes of a request's body: decompressed, transcoded, never more than a piece in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, web
from aiohttp.http_exceptions import PayloadEncodingError

from schemas.errors import BodyTooLarge, UploadCut
from schemas.formats.content_type import charset_of, transcoder_for
from schemas.formats.encodings import Pipe, Pipeline, decoder_for


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


@asynccontextmanager
async def arrival(idle_seconds: float) -> AsyncIterator[None]:
    """Within it something is awaited from the client; raises UploadCut where it does not come."""
    try:
        async with asyncio.timeout(idle_seconds):
            yield
    except TimeoutError:
        raise UploadCut(f"nothing came for {idle_seconds:g} seconds: send it again") from None
    except (ConnectionError, ClientError, PayloadEncodingError, web.RequestPayloadError) as error:
        raise UploadCut("the connection ended before the body did: send it again") from error


async def _watched(source: AsyncIterator[bytes], idle_seconds: float) -> AsyncIterator[bytes]:
    while True:
        async with arrival(idle_seconds):
            data = await anext(source, None)
        if data is None:
            return
        yield data
