"""What a part holds: spans of records, and records that cannot be read."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import JsonValue

from schemas.item_errors import ItemCode

PART_BYTES: Final = 1024 * 1024  # one row of `parts`: few rows a file, yet cheap to fetch for one chunk
MAX_RECORD_BYTES: Final = PART_BYTES  # line end not counted; a record is never split, so a part must hold it


@dataclass(frozen=True, slots=True)
class Span:
    """A run of whole records in a part: bytes `start` to `end`, with `items` records."""

    start: int
    end: int
    items: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is no item: its text as it came (invalid bytes as \\xNN), and why."""

    text: str
    code: ItemCode
    message: str


RawItem: TypeAlias = JsonValue | Unreadable


def spans_of(records: Iterable[bytes], limit: int, is_blank: Callable[[bytes], bool]) -> Iterator[Span]:
    """Gather consecutive raw records, with their line ends, into spans of at most `limit` that are not blank.

    Spans touch each other; what is blank behind the last record belongs to none.
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
    """An unreadable record from its raw bytes."""
    return Unreadable(record.decode("utf-8", "backslashreplace").rstrip("\r\n"), code, message)
