"""Keep what was sent, in memory while it is small, then in a temporary file, so that it can be sent again."""

import io
import weakref
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import BinaryIO, cast

MEMORY_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024


class Spool:
    """Bytes that are appended at the end and read from the start, also while more is appended."""

    def __init__(self) -> None:
        # not a context manager: the file lives as long as the job that reads its rows, then it is deleted
        self._file = SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115
        self._lock = Lock()
        self.size = 0  # bytes
        weakref.finalize(self, self._file.close)

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        with self._lock:
            self._file.seek(0, io.SEEK_END)
            self._file.write(data)
            self.size += len(data)

    def read(self, at: int, size: int) -> bytes:
        """Return at most `size` bytes from a position; none at the end."""
        with self._lock:
            self._file.seek(at)
            return self._file.read(size)

    def pieces(self) -> Iterator[bytes]:
        """Yield what is there, from the start."""
        at = 0
        while piece := self.read(at, PIECE_BYTES):
            at += len(piece)
            yield piece

    def open(self) -> BinaryIO:
        """Return a file that reads from the start."""
        return cast("BinaryIO", io.BufferedReader(_Reader(self), PIECE_BYTES))


class _Reader(io.RawIOBase):
    """Reads a spool, at a position of its own."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._at = 0

    def readable(self) -> bool:
        """Return whether this can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stub says Buffer
        """Fill the buffer; return the number of bytes."""
        data = self._spool.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
