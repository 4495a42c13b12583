"""Find the file of a form, as a browser sends it: multipart/form-data (RFC 7578), piece by piece."""

import re
from collections.abc import Iterator
from email.message import Message
from enum import Enum, auto
from typing import Final

from schemas.errors import MalformedBody, NotAcceptable, UnsupportedFormat

MAX_FIELDS: Final = 100  # of a form, the file included
MAX_HEADER_BYTES: Final = 8 * 1024  # of one field
_PADDING_BYTES: Final = 100  # white space after a boundary
_NO_FILE: Final = "the form has no file: send one file as multipart/form-data"


class _Place(Enum):
    """What the next bytes of a form are."""

    FIELD = auto()  # content that is dropped; also what comes before the first boundary
    HEADERS = auto()
    FILE = auto()
    END = auto()


class FormReader:
    """A pipe: takes the bytes of a form, yields those of its file. All other fields are dropped.

    `filename` and `content_type` are set before the first byte of the file is yielded. Raises MalformedBody,
    NotAcceptable(code="too_many_files"), and UnsupportedFormat for a form without a file.
    """

    def __init__(self, boundary: bytes) -> None:
        self.filename: str | None = None  # None: the file has not begun
        self.content_type = ""
        self._mark = b"\r\n--" + boundary
        self._end_of_field = re.compile(re.escape(self._mark) + rb"(?:--|[ \t]*+(?=\r\n))")
        self._buffer = bytearray(b"\r\n")  # the first boundary need not begin a new line
        self._place = _Place.FIELD
        self._fields = 0
        self._line_end = 0  # bytes of the line end before the content, which are still to come

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes of the file that are certain to be no boundary."""
        self._buffer += data
        while self._place is not _Place.END:
            before = self._place
            if before is _Place.HEADERS:
                self._read_headers()
            else:
                content = self._without_line_end(self._read_content())
                if content and before is _Place.FILE:
                    yield content
            if self._place is before:
                return
        self._buffer.clear()  # what comes after the last boundary

    def flush(self) -> Iterator[bytes]:
        """Raise if the form has no end or no file."""
        if self._place is not _Place.END:
            raise _malformed("it ends before its last boundary")
        if self.filename is None:
            raise UnsupportedFormat(_NO_FILE)
        yield from ()

    def _without_line_end(self, content: bytes) -> bytes:
        """Return content without the end of the line before it: a workbook begins with its first byte."""
        dropped = min(self._line_end, len(content))
        self._line_end -= dropped
        return content[dropped:]

    def _read_content(self) -> bytes:
        """Take the content up to the next boundary, or up to where one may begin."""
        found = self._end_of_field.search(self._buffer)
        if found is None:
            end = self._start_of_boundary()
            content = bytes(self._buffer[:end])
            del self._buffer[:end]
            return content
        content = bytes(self._buffer[: found.start()])
        self._place = _Place.END if found[0].endswith(b"--", len(self._mark)) else _Place.HEADERS
        del self._buffer[: found.end()]
        return content

    def _start_of_boundary(self) -> int:
        """Return the position in the buffer where a boundary that is not whole yet may begin."""
        start = self._buffer.rfind(self._mark)
        if start >= 0 and len(self._buffer) - start <= len(self._mark) + _PADDING_BYTES:
            return start
        return max(len(self._buffer) - len(self._mark) + 1, 0)

    def _read_headers(self) -> None:
        """Read the headers of a field, if they are complete, and decide whether it is the file."""
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise _malformed(f"the headers of a field have more than {MAX_HEADER_BYTES} bytes")
            return
        headers = _headers(bytes(self._buffer[:end]))
        del self._buffer[: end + 2]  # the line end stays, because a boundary may follow at once
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise _malformed(f"it has more than {MAX_FIELDS} fields")
        filename = headers.get_filename()
        if not filename:
            self._place = _Place.FIELD
            return
        if self.filename is not None:
            raise NotAcceptable("the form has a second file: send one at a time", code="too_many_files")
        self.filename, self.content_type = filename, headers.get("Content-Type", "")
        self._place = _Place.FILE
        self._line_end = len(b"\r\n")


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type header declares. Raises MalformedBody."""
    header = Message()
    header["Content-Type"] = " ".join(content_type.split())  # a line break would end the header
    boundary = (header.get_boundary() or "").encode("latin-1", "replace")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise _malformed("its Content-Type has no boundary of 1 to 70 characters")
    return boundary


def _headers(block: bytes) -> Message:
    """Return the headers of a field; raises MalformedBody if a line is none."""
    message = Message()
    for line in block.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if line and not (colon and name.strip()):
            raise _malformed("a field has a header without a colon")
        if line:
            message[name.strip()] = " ".join(value.split())
    return message


def _malformed(reason: str) -> MalformedBody:
    return MalformedBody(f"the body is not valid multipart/form-data: {reason}")
