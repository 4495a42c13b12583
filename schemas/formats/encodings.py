"""Decode a Content-Encoding piece by piece: a decompression bomb costs time, never memory.

The names are those of RFC 9110, section 8.4.1, and of RFC 8878 (zstd).
"""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, Protocol

from schemas.errors import MalformedBody, UnsupportedFormat

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES: Final = 256 * 1024  # the most that one step yields, so the memory that a bomb can use
_BLOCK_BYTES: Final = 16 * 1024  # the most input of one step; each small frame copies the rest of it
# A body may have FREE_FRAMES frames, and one more for each FRAME_BYTES of its output: opening a frame takes
# as long as decoding some kilobytes. The blocks of bgzip have 64 KiB.
FREE_FRAMES: Final = 1_000
FRAME_BYTES: Final = 1024
_ZSTD_WINDOW_LOG: Final = 23  # 8 MiB, the most that RFC 9659 allows a sender to need
_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS


def decoder_for(header: str | None) -> "Pipe":
    """Return the decoder for a Content-Encoding header; None and `identity` leave bytes as they are.

    Raises UnsupportedFormat for an unknown encoding, and for more than one. The decoder raises
    MalformedBody(code="invalid_encoding") for bytes that are corrupt or end too early.
    """
    names = [
        name for token in (header or "").split(",") if (name := token.strip().lower()) not in {"", "identity"}
    ]
    match names:
        case []:
            return IdentityDecoder()
        case ["gzip" | "x-gzip"]:
            return FrameDecoder("gzip", partial(_ZlibFrame, _GZIP_WBITS))
        case ["deflate"]:
            return DeflateDecoder()
        case ["zstd"]:
            return FrameDecoder("zstd", _zstd_frame)
    raise UnsupportedFormat(
        f"The content encoding {', '.join(names)[:100]!r} is not supported. "
        "Use one of identity, gzip, deflate and zstd.",
        code="unsupported_encoding",
        param="Content-Encoding",
    )


class Pipe(Protocol):
    """One incremental step: a content decoder, a transcoder, a cutter, or several of them in a row.

    Both methods are lazy: the input is consumed only when the iterator is exhausted. After an exception, or
    after `flush`, a pipe cannot be used again.
    """

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes of any length; yield what is ready."""
        ...

    def flush(self) -> Iterator[bytes]:
        """End the input: yield the rest, or raise if the input ends too early."""
        ...


class Pipeline:
    """Several pipes in a row as one pipe; it holds at most one piece at a time."""

    def __init__(self, *pipes: Pipe) -> None:
        self._pipes = pipes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Send bytes through all pipes."""
        return _through(self._pipes, [data])

    def flush(self) -> Iterator[bytes]:
        """Flush the pipes in order, each into those after it."""
        for position, pipe in enumerate(self._pipes, start=1):
            yield from _through(self._pipes[position:], pipe.flush())


def _through(pipes: Iterable[Pipe], pieces: Iterable[bytes]) -> Iterator[bytes]:
    for pipe in pipes:
        pieces = _feed_all(pipe, pieces)
    yield from pieces


def _feed_all(pipe: Pipe, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from pipe.feed(piece)


class IdentityDecoder:
    """Passes bytes on as they are."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes."""
        if data:
            yield data

    def flush(self) -> Iterator[bytes]:
        """Yield nothing, because nothing is held."""
        yield from ()


class _Frame(Protocol):
    """One gzip member, zlib stream or zstd frame, with the interface of bz2, lzma and zstd decompressors."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class FrameDecoder:
    """Decodes frames of one kind, one after another, as `cat a.gz b.gz` makes them; `single` allows one.

    Zero bytes after a frame are padding, as in gzip(1). Thousands of tiny frames are refused.
    """

    def __init__(self, name: str, open_frame: Callable[[], _Frame], *, single: bool = False) -> None:
        self._name = name
        self._open_frame = open_frame
        self._single = single
        self._frame: _Frame | None = None
        self._frames = 0  # complete frames
        self._output = 0  # bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode bytes into pieces of at most PIECE_BYTES."""
        for start in range(0, len(data), _BLOCK_BYTES):
            yield from self._decode(data[start : start + _BLOCK_BYTES])

    def flush(self) -> Iterator[bytes]:
        """Raise MalformedBody if a frame is still open."""
        if self._frame is not None:
            raise _ends_too_early(self._name)
        yield from ()

    def _decode(self, block: bytes) -> Iterator[bytes]:
        while block := self._without_padding(block):
            frame = self._frame = self._frame or self._next_frame()
            yield from self._drain(frame, block)
            block = b""
            if frame.eof:
                block, self._frame, self._frames = frame.unused_data, None, self._frames + 1

    def _without_padding(self, block: bytes) -> bytes:
        between = self._frames and self._frame is None
        return block.lstrip(b"\0") if between else block

    def _next_frame(self) -> _Frame:
        if self._frames and self._single:
            raise _corrupt(self._name, "more bytes follow its end")
        if self._frames >= FREE_FRAMES + self._output // FRAME_BYTES:
            raise _corrupt(self._name, f"it has {self._frames} tiny frames; compress the file as a whole")
        return self._open_frame()

    def _drain(self, frame: _Frame, data: bytes) -> Iterator[bytes]:
        while not frame.eof:
            try:
                piece = frame.decompress(data, PIECE_BYTES)
            except (zlib.error, zstd.ZstdError) as error:
                raise _corrupt(self._name, str(error)) from error
            data = b""
            self._output += len(piece)
            if piece:
                yield piece
            if frame.needs_input:
                return


class DeflateDecoder:
    """Decodes `deflate`: zlib (RFC 1950), or raw deflate (RFC 1951), which some clients send."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: FrameDecoder | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode bytes; the first two distinguish zlib from raw deflate."""
        if self._stream is None:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            wbits = zlib.MAX_WBITS if _is_zlib(data) else -zlib.MAX_WBITS
            self._stream = FrameDecoder("deflate", partial(_ZlibFrame, wbits), single=True)
        yield from self._stream.feed(data)

    def flush(self) -> Iterator[bytes]:
        """Raise MalformedBody if the stream has not ended."""
        if self._stream is not None:
            yield from self._stream.flush()
        elif self._head:
            raise _ends_too_early("deflate")


class _ZlibFrame:
    """A zlib decompressor that keeps its unconsumed input itself, like those of bz2, lzma and zstd."""

    def __init__(self, wbits: int) -> None:
        self._inflate = zlib.decompressobj(wbits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)
        # after a full piece, zlib may hold more output in its window although no input is left
        self.needs_input = not self._inflate.unconsumed_tail and len(piece) < max_length
        return piece


def _zstd_frame() -> _Frame:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


def _is_zlib(head: bytes) -> bool:
    """Return whether bytes begin a zlib stream (RFC 1950, 2.2): method 8, window <= 32 KiB, check bits."""
    method, window = head[0] & 0x0F, head[0] >> 4
    return method == 8 and window <= 7 and int.from_bytes(head[:2]) % 31 == 0


def _corrupt(name: str, reason: str) -> MalformedBody:
    return MalformedBody(
        f"The body is not valid {name}: {reason}.", code="invalid_encoding", param="Content-Encoding"
    )


def _ends_too_early(name: str) -> MalformedBody:
    return MalformedBody(
        f"The {name} body ends too early: its last bytes are missing. Send the whole file again.",
        code="invalid_encoding",
        param="Content-Encoding",
    )
