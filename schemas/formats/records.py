"""Records of a body: cut a stream of them into parts, find their spans in a part, keep unreadable ones."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import JsonValue

from schemas.errors import NotAcceptable
from schemas.item_errors import ItemCode

PART_BYTES: Final = 1024 * 1024  # one row of `parts`: few rows per file, but cheap to fetch for one chunk
MAX_RECORD_BYTES: Final = PART_BYTES  # without the line end; a part must hold a whole record
_SLACK_BYTES: Final = 2  # a line end, or a CR and the byte that shows that it is not a CRLF


@dataclass(frozen=True, slots=True)
class Span:
    """A run of whole records in a part: `items` records in the bytes from `start` to `end`."""

    start: int
    end: int
    items: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that cannot be read: its text (invalid bytes as \\xNN), and the reason."""

    text: str
    code: ItemCode
    message: str


RawItem: TypeAlias = JsonValue | Unreadable


def spans_of(records: Iterable[bytes], limit: int, is_blank: Callable[[bytes], bool]) -> Iterator[Span]:
    """Yield spans of at most `limit` consecutive records that are not blank; records have their line ends.

    A span begins where the one before it ends. Blank records after the last one belong to no span.
    """
    start = end = items = 0
    for record in records:
        end += len(record)
        if is_blank(record):
            continue
        items += 1
        if items == limit:
            yield Span(start, end, items)
            start, items = end, 0
    if items:
        yield Span(start, end, items)


def unreadable(record: bytes, code: ItemCode, message: str) -> Unreadable:
    """Return an unreadable record from its raw bytes."""
    return Unreadable(record.decode("utf-8", "backslashreplace").rstrip("\r\n"), code, message)


class RecordCutter(ABC):
    """Cuts bytes into parts of about `part_bytes`; the parts joined are the input, byte for byte.

    The cuts depend on the bytes alone, not on how they are fed.
    """

    def __init__(self, *, part_bytes: int = PART_BYTES, first_line: int = 1) -> None:
        self._part_bytes = part_bytes
        self._buffer = bytearray()
        self._line = first_line  # of the first byte in the buffer, in the client's file
        self._empty = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield every part that is full. Raises NotAcceptable(code="record_too_large")."""
        self._buffer += data
        while len(self._buffer) >= self._part_bytes + _SLACK_BYTES:
            yield self._cut()

    def flush(self) -> Iterator[bytes]:
        """Yield the last part. Raises NotAcceptable(code="empty") if there was no record."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        if rest:
            yield self._part(rest)
        if self._empty:
            raise NotAcceptable("The body has no records.", code="empty")

    @abstractmethod
    def _boundary(self, window: bytes) -> int:
        """Return the end of the last whole record in the window, with its line end; 0 if there is none."""

    @abstractmethod
    def _is_blank(self, part: bytes) -> bool:
        """Return whether a part has no record."""

    def _cut(self) -> bytes:
        window = bytes(self._buffer[: self._part_bytes + _SLACK_BYTES])
        end = self._boundary(window)
        if not end:
            raise self._record_too_large(window)
        del self._buffer[:end]
        return self._part(window[:end])

    def _part(self, part: bytes) -> bytes:
        self._line += count_lines(part)
        self._empty = self._empty and self._is_blank(part)
        return part

    def _record_too_large(self, window: bytes) -> NotAcceptable:
        message = f"The record that starts in line {self._line} has more than {self._part_bytes} bytes."
        if b'"' in window:
            message += " A quotation mark that opens in it may never be closed."
        return NotAcceptable(message, code="record_too_large", param=f"line {self._line}")


def count_lines(text: bytes) -> int:
    """Return the number of line ends, which are all LF, CRLF or CR."""
    return text.count(b"\n") or text.count(b"\r")
