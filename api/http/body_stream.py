"""Read the body of a request: decompressed and transcoded, with at most one piece in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, web
from aiohttp.http_exceptions import PayloadEncodingError

from schemas.errors import BodyTooLarge, UploadCut
from schemas.formats.content_type import charset_of, transcoder_for
from schemas.formats.encodings import Pipe, Pipeline, decoder_for


def pipeline_for(request: web.Request, content_type: str | None) -> Pipe:
    """Return the pipe that decodes the bytes of a body to UTF-8. Raises UnsupportedFormat."""
    return Pipeline(
        decoder_for(request.headers.get("Content-Encoding")), transcoder_for(charset_of(content_type))
    )


async def read_pieces(
    source: AsyncIterator[bytes], pipe: Pipe, *, limit: int, idle_seconds: float
) -> AsyncIterator[bytes]:
    """Yield the decoded pieces of a body.

    Raises UploadCut, BodyTooLarge beyond `limit` decoded bytes, and what the pipe raises.
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
    """Return all pieces joined; only for a bounded body."""
    return b"".join([piece async for piece in pieces])


@asynccontextmanager
async def arrival(idle_seconds: float) -> AsyncIterator[None]:
    """Wait for the client at most `idle_seconds`; raises UploadCut if it sends nothing or disconnects."""
    try:
        async with asyncio.timeout(idle_seconds):
            yield
    except TimeoutError:
        raise UploadCut(f"no byte arrived for {idle_seconds:g} seconds: send the request again") from None
    except (ConnectionError, ClientError, PayloadEncodingError, web.RequestPayloadError) as error:
        raise UploadCut("the connection ended before the body did: send the request again") from error


async def _watched(source: AsyncIterator[bytes], idle_seconds: float) -> AsyncIterator[bytes]:
    while True:
        async with arrival(idle_seconds):
            data = await anext(source, None)
        if data is None:
            return
        yield data
