"""Read the body of a request: decompressed, as text, with at most one piece in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from aiohttp import ClientError, web
from aiohttp.http_exceptions import PayloadEncodingError

from api.http.file_pipe import FilePipe
from api.http.memory import SHARE
from api.http.workbook_room import WorkbookPlace
from schemas.errors import BodyTooLarge, UploadCut
from schemas.formats.encodings import Pipe, Pipeline, decoder_for
from schemas.metrics import UPLOAD_BYTES
from schemas.noted_metrics import count
from schemas.settings import Settings

STEP_BYTES = 16 * 1024  # decoded without letting other requests run


def pipeline_for(request: web.Request, text: Pipe) -> Pipe:
    """Return the pipe that decompresses a body and sends it to `text`. Raises UnsupportedFormat."""
    return Pipeline(decoder_for(request.headers.get("Content-Encoding")), text)


async def read_pieces(
    request: web.Request,
    source: AsyncIterator[bytes],
    pipe: Pipe,
    *,
    limit: int,
    held: int,
    file: FilePipe | None = None,
    place: WorkbookPlace | None = None,
    unattended: bool = False,
) -> AsyncIterator[bytes]:
    """Yield the decoded pieces of the body that arrives in `source`.

    `file` is a part of the pipe, which may be a workbook in its `place`.

    An `unattended` body is also read when nobody waits for the response any more.
    `limit` is the largest size, before and after decoding, and `held` the bytes of it that the caller keeps
    in memory. Raises what the source and the pipe raise, BodyTooLarge, and Unavailable without memory for it.
    """
    arrived = size = 0
    async for data in source:
        arrived += len(data)
        _check_size(arrived, limit)
        async for piece in _in_steps(pipe.feed(data)):
            size += len(piece)
            _check_size(size, limit)
            request[SHARE].reach(min(size, held))
            yield piece
    if file is None or place is None or not file.is_slow:
        async for piece in _in_steps(pipe.flush()):
            yield piece
        return
    await place.begin()
    async for piece in _in_threads(pipe.flush(), place.threads):
        if request.transport is None and not unattended:  # nobody waits for the response any more
            raise UploadCut("the connection ended before the workbook was read: send the request again")
        size += len(piece)
        _check_size(size, limit)
        request[SHARE].reach(min(size, held) + file.held)
        yield piece


async def read_whole(pieces: AsyncIterator[bytes]) -> bytes:
    """Return all pieces joined; only for a bounded body."""
    return b"".join([piece async for piece in pieces])


async def arriving(source: AsyncIterator[bytes], settings: Settings) -> AsyncIterator[bytes]:
    """Yield the bytes of a body as they arrive.

    Raises UploadCut if the client disconnects, is silent, or is slower than MIN_UPLOAD_RATE. Only the time in
    which we wait for the client counts, so not the time in which it waits for us.
    """
    clock = asyncio.get_running_loop().time
    waited, arrived = 0.0, 0
    while True:
        since = clock()
        data = await _next(source, settings.upload_idle_seconds)
        if data is None:
            return
        waited += clock() - since
        arrived += len(data)
        if waited > settings.upload_grace_seconds and arrived < settings.min_upload_rate * waited:
            raise UploadCut(
                f"{arrived} bytes arrived in {waited:.0f} seconds, and the slowest rate is "
                f"{settings.min_upload_rate} bytes a second: send the request again",
                code="upload_too_slow",
            )
        yield data


async def counted(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes of a bulk body, and count them."""
    async for data in source:
        count(UPLOAD_BYTES, by=len(data))
        yield data


async def _next(source: AsyncIterator[bytes], idle_seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(idle_seconds):
            return await anext(source, None)
    except TimeoutError:
        raise UploadCut(f"no byte arrived for {idle_seconds:g} seconds: send the request again") from None
    except (ConnectionError, ClientError, PayloadEncodingError, web.RequestPayloadError) as error:
        raise UploadCut("the connection ended before the body did: send the request again") from error


async def _in_steps(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Join small pieces, and let other requests run after each STEP_BYTES."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= STEP_BYTES:
            yield bytes(held)
            held.clear()
            await asyncio.sleep(0)
    if held:
        yield bytes(held)


async def _in_threads(pieces: Iterator[bytes], threads: asyncio.Semaphore) -> AsyncIterator[bytes]:
    """Yield pieces that take long to make. The iterator is not closed while a thread works on it."""
    while True:
        async with threads:
            piece = await asyncio.to_thread(next, pieces, None)
        if piece is None:
            return
        yield piece


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes: send it in several requests")
