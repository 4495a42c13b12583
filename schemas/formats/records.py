"""Records of a body: cut a stream of them into parts, find their spans in a part, keep unreadable ones."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import JsonValue

from schemas.errors import BodyTooLarge, NotAcceptable
from schemas.formats.likely_causes import ONE_LINE
from schemas.item_errors import ItemCode

PART_BYTES: Final = 1024 * 1024  # one row of `parts`: few rows per file, but cheap to fetch for one chunk
MAX_RECORD_BYTES: Final = PART_BYTES  # without the line end; a part must hold a whole record
MAX_ITEMS: Final = 2**31 - 1  # of a body: the index of an item is a signed integer of four bytes
ENCODING_CURE: Final = " Save the file as UTF-8, or declare its charset, as in charset=windows-1252."
_LETTERS: Final = bytes(10 if byte == 10 else ord("x") for byte in range(256))  # LF stays
_LINE_ENDS: Final = re.compile(rb"[\r\n]")
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
    """Cuts bytes into parts of about `part_bytes`. Parts without a record are left out.

    The cuts depend on the bytes alone, not on how they are fed. `items` counts the records in the parts.
    """

    def __init__(
        self, *, part_bytes: int = PART_BYTES, max_items: int = MAX_ITEMS, first_line: int = 1
    ) -> None:
        self.items = 0
        self._part_bytes = part_bytes
        self._max_items = max_items
        self._buffer = bytearray()
        self._line = first_line  # of the first byte in the buffer, in the client's file

    @property
    def held(self) -> int:
        """The bytes that have been fed and are not yielded."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield every part that is full.

        Raises NotAcceptable(code="record_too_large"), BodyTooLarge(code="too_many_items"), MalformedBody.
        """
        self._buffer += data
        while len(self._buffer) >= self._part_bytes + _SLACK_BYTES:
            window = bytes(self._buffer[: self._part_bytes + _SLACK_BYTES])
            end, records = self._last_record(window)
            if not end:
                raise self._record_too_large(window)
            del self._buffer[:end]
            yield from self._counted(window[:end], records)

    def flush(self) -> Iterator[bytes]:
        """Yield the last part. Raises what `feed` raises; NotAcceptable(code="empty"): no record."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        yield from self._counted(rest, self._records(rest))
        if not self.items:
            raise NotAcceptable(f"The body has no records.{self._cause_of_none()}", code="empty")

    @abstractmethod
    def _last_record(self, window: bytes) -> tuple[int, int]:
        """Return the end of the last whole record in the window, and the number of records up to it.

        The end is that of the line end; 0: there is no whole record.
        """

    @abstractmethod
    def _records(self, part: bytes) -> int:
        """Return the number of records in a part; blank lines are none."""

    def _cause_of_none(self) -> str:
        """Return the likely cause of a body without records, as a sentence; "": there is none."""
        return ""

    def _counted(self, part: bytes, records: int) -> Iterator[bytes]:
        """Yield the part if it has records."""
        self._line += count_lines(part)
        self.items += records
        if self.items > self._max_items:
            raise BodyTooLarge(
                f"The body has more than {self._max_items} items. Send the rest in further requests.",
                code="too_many_items",
            )
        if records:
            yield part

    def _record_too_large(self, window: bytes) -> NotAcceptable:
        message = f"The record that starts in line {self._line} has more than {self._part_bytes} bytes."
        if not _LINE_ENDS.search(window):
            message += ONE_LINE
        elif b'"' in window:
            message += " A quotation mark that opens in it may never be closed."
        return NotAcceptable(message, code="record_too_large", param=f"line {self._line}")


def filled_lines(text: bytes, blank: bytes = b"") -> int:
    """Return the number of lines that have a byte besides those of `blank`; every line ends with LF."""
    shown = text.translate(_LETTERS, blank)
    return shown.count(b"x\n") + shown.endswith(b"x")


def count_lines(text: bytes) -> int:
    """Return the number of line ends: each LF, CRLF or lone CR."""
    ends = text.count(b"\n")
    return ends + text.count(b"\r") - text.count(b"\r\n") if b"\r" in text else ends
