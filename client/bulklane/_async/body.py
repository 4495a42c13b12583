"""The bytes of a submission, which can be sent several times although their source can be read once."""

import os
from collections.abc import AsyncIterator

from bulklane._async import io
from bulklane.compression import Compression, compressor
from bulklane.errors import SourceError
from bulklane.rows import SentFile, SentRows
from bulklane.sources import Source
from bulklane.spool import PIECE_BYTES, Spool


class AsyncBody:
    """Encodes and compresses a source while it is sent, with at most one piece in memory.

    The bytes of a file are read from its path again for a second attempt. Those of other sources are spooled.
    """

    def __init__(self, source: Source, compression: Compression) -> None:
        self._source = source
        self._spool = None if source.file else Spool()
        self._rest: AsyncIterator[bytes] | None = None  # what no attempt has sent yet
        self._failure: BaseException | None = None  # of the source: its rest is lost
        self._ready = source.compression is not None
        self._compression: Compression = source.compression or compression
        compressor(self._compression)  # raises now if it is not installed

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe the bytes."""
        headers = {"Content-Type": self._source.content_type}
        if self._compression != "none":
            headers["Content-Encoding"] = self._compression
        return headers

    @property
    def rows(self) -> SentRows:
        """The rows of the source: those in memory, or those of what was sent."""
        if self._source.rows is not None:
            return self._source.rows
        if self._spool is None:
            assert self._source.file is not None
            return self._source.file
        return SentFile(
            open=self._spool.open,
            format=self._source.format,
            compression=self._compression,
            charset=self._source.charset,
        )

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield all bytes; a second call yields the same ones. Raises what the source raises."""
        if self._spool is None:
            async for piece in self._encoded():
                yield piece
            return
        self._check_source()
        for piece in self._spool.pieces():
            yield piece
        if self._rest is None:
            self._rest = self._encoded()
        while piece := await self._following(self._rest):
            self._spool.append(piece)
            yield piece

    async def read(self, at: int, size: int) -> bytes:
        """Return the bytes from a position on: fewer than `size` only at the end. Raises as `pieces` does."""
        if self._spool is None:
            assert self._source.file is not None
            with self._source.file.open() as file:
                file.seek(at)
                return file.read(size)
        self._check_source()
        if self._rest is None:
            self._rest = self._encoded()
        while self._spool.size < at + size and (piece := await self._following(self._rest)):
            self._spool.append(piece)
        return self._spool.read(at, size)

    @property
    def size(self) -> int | None:
        """The number of all bytes, if it is known before they are read."""
        if self._source.file is None:
            return None
        with self._source.file.open() as file:
            return file.seek(0, os.SEEK_END)

    def _check_source(self) -> None:
        if self._failure:
            raise SourceError(
                "the source has failed in an earlier attempt: submit it again"
            ) from self._failure

    async def _following(self, rest: AsyncIterator[bytes]) -> bytes:
        try:
            return await anext(rest, b"")
        except BaseException as error:  # also a cancellation: the rest cannot be continued after it
            self._failure = error
            raise

    async def _encoded(self) -> AsyncIterator[bytes]:
        encode, packer = self._source.encoder.feed, compressor("none" if self._ready else self._compression)
        held = bytearray()
        async for item in io.each(self._source.items()):
            held += encode(item)
            if len(held) >= PIECE_BYTES:
                await io.yield_control()
                if packed := packer.compress(bytes(held)):
                    yield packed
                held.clear()
        if packed := packer.compress(bytes(held)) + packer.flush():
            yield packed
