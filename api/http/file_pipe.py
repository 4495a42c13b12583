"""Turn the file of a bulk request into text, by its first bytes: it is text, or a workbook, read as CSV.

A workbook can only be read when it is complete. Until then it is in a temporary file without a name, which
`close` deletes.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from schemas.errors import BodyTooLarge, NotAcceptable, Unavailable, UnsupportedFormat
from schemas.formats.content_type import Format
from schemas.formats.encodings import Pipe
from schemas.formats.files.kinds import WORKBOOK_TYPE, ZIP, refuse_compressed, refuse_foreign
from schemas.formats.files.sheet import Workbook

PEEK_BYTES = 16  # the longest mark at the start of a file

logger = logging.getLogger(__name__)


class FilePipe:
    """Turns the bytes of a file into UTF-8 text.

    `text` reads text. `declared` is the format that the content type declares, or the error for text of which
    nothing declares it. `sheet` names a sheet of a workbook, which has at most `most` bytes.
    `store` is called before its temporary file grows to a size.
    """

    def __init__(
        self,
        text: Pipe,
        declared: Format | UnsupportedFormat,
        *,
        sheet: str | None,
        most: int,
        store: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._text = text
        self._declared = declared
        self._sheet = sheet
        self._most = most
        self._store = store
        self._head: bytes | None = b""  # None as soon as the kind is known
        self._file: BinaryIO | None = None  # of a workbook
        self._size = 0
        self.held = 0  # bytes in memory

    @property
    def is_slow(self) -> bool:
        """Whether `flush` takes long steps, so that it must run in a thread."""
        return self._file is not None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; yield text. Raises UnsupportedFormat, BodyTooLarge, NotAcceptable, Unavailable."""
        if self._head is not None:
            self._head += data
            if len(self._head) < PEEK_BYTES:
                return
            data = self._settle()
        yield from self._take(data)

    def flush(self) -> Iterator[bytes]:
        """Yield the rest, or all rows of a workbook. Raises what `Workbook.rows` raises."""
        if self._head is not None:
            yield from self._take(self._settle())
        if self._file is None:
            yield from self._text.flush()
            return
        with storing():
            self._file.flush()
        book = Workbook(self._file, self._sheet)
        for piece in book.rows():
            self.held = book.held
            yield piece

    def close(self) -> None:
        """Delete the temporary file. A thread that still reads it gets an error, which nobody awaits."""
        if self._file is not None:
            with suppress(OSError):  # what it could not write is not needed any more
                self._file.close()

    def _settle(self) -> bytes:
        """Find the kind of the file; return its first bytes."""
        head, self._head = self._head or b"", None
        if head.startswith(ZIP):
            if self._declared in {Format.JSON, Format.NDJSON}:
                raise UnsupportedFormat(
                    f"The body is a workbook or another archive. Declare 'Content-Type: {WORKBOOK_TYPE}'.",
                    param="Content-Type",
                )
            with storing():
                self._file = cast(BinaryIO, TemporaryFile())  # noqa: SIM115 - `close` closes it
            return head
        refuse_foreign(head)
        refuse_compressed(head)
        if isinstance(self._declared, UnsupportedFormat):
            raise self._declared
        if self._sheet is not None:
            raise NotAcceptable("Only a workbook has sheets: leave out the parameter sheet.", param="sheet")
        return head

    def _take(self, data: bytes) -> Iterator[bytes]:
        if self._file is None:
            yield from self._text.feed(data)
            return
        self._size += len(data)
        if self._size > self._most:
            raise BodyTooLarge(f"A workbook may have {self._most} bytes. Save it as CSV, and send that file.")
        self._store(self._size)
        with storing():
            self._file.write(data)


@contextmanager
def storing() -> Iterator[None]:
    """Raise Unavailable if the temporary file cannot be written, for example because the disk is full."""
    try:
        yield
    except OSError as error:
        logger.warning("cannot store a workbook in a temporary file: %s", error)
        text = "the api has no room for a workbook at the moment: send the request again"
        raise Unavailable(text) from error
