"""CSV: a header row, then one record per row, exactly as Python's `csv.reader` reads them.

A row of separators alone (`,,,`) is a record without fields; a blank line is not a record.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from schemas.errors import NotAcceptable
from schemas.formats import csv_grammar
from schemas.formats.csv_header import HEADER_BYTES, Columns, find_header, read_header
from schemas.formats.csv_layout import CsvLayout
from schemas.formats.likely_causes import ONE_LINE
from schemas.formats.records import (
    ENCODING_CURE,
    MAX_ITEMS,
    MAX_RECORD_BYTES,
    PART_BYTES,
    RecordCutter,
    Span,
    Unreadable,
    count_lines,
    filled_lines,
    spans_of,
    unreadable,
)
from schemas.item_errors import ItemCode

_BLANK: Final = frozenset({b"", b"\n", b"\r\n", b"\r"})
_LINE_END: Final = re.compile(rb"[\r\n]")

CsvItem: TypeAlias = dict[str, str] | Unreadable

# A cell may be as long as a record. The limit is global to the process, so it is never lowered.
csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_RECORD_BYTES))


class CsvCutter:
    """Reads the header row into `layout`, then cuts the rows after it into parts.

    Raises what `read_header` and `RecordCutter` raise.
    """

    def __init__(self, columns: Columns, *, part_bytes: int = PART_BYTES, max_items: int = MAX_ITEMS) -> None:
        self._columns = columns
        self._part_bytes = part_bytes
        self._max_items = max_items
        self._head = bytearray()
        self._has_bytes = self._has_line_end = False
        self._next_look = 0  # bytes of the head at which to look for the end of the header row
        self._rows: _RowCutter | None = None
        self.layout: CsvLayout | None = None  # set before the first part is yielded

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield every part that is full."""
        if self._rows is None:
            self._head += data
            self._has_bytes = self._has_bytes or bool(data)
            self._has_line_end = self._has_line_end or _LINE_END.search(data) is not None
            if len(self._head) < HEADER_BYTES and not (self._has_line_end and self._is_time_to_look()):
                return
            with self._telling_of_one_line():
                data = self._take_header(final=False)
        if self._rows is not None:
            yield from self._rows.feed(data)

    def flush(self) -> Iterator[bytes]:
        """Yield the last part."""
        with self._telling_of_one_line():
            if self._rows is None:
                rest = self._take_header(final=True)
                yield from self._row_cutter().feed(rest)
            yield from self._row_cutter().flush()

    @property
    def held(self) -> int:
        """The bytes that have been fed and are not yielded."""
        return len(self._head) if self._rows is None else self._rows.held

    def _is_time_to_look(self) -> bool:
        """Return whether the head has grown by a quarter: to look after each byte would be quadratic."""
        if len(self._head) < self._next_look:
            return False
        self._next_look = len(self._head) + len(self._head) // 4
        return True

    def _take_header(self, *, final: bool) -> bytes:
        """Read the header if it is complete; return the bytes after it."""
        head = bytes(self._head)
        header = find_header(head, final=final)
        if header is None:
            return b""
        self.layout = read_header(head[header.start : header.end], header.delimiter, self._columns)
        self._rows = _RowCutter(
            header.delimiter,
            part_bytes=self._part_bytes,
            max_items=self._max_items,
            first_line=1 + count_lines(head[: header.end]),
        )
        self._head.clear()
        return head[header.end :]

    @contextmanager
    def _telling_of_one_line(self) -> Iterator[None]:
        """Add the likely cause to an error of a body without a line end."""
        try:
            yield
        except NotAcceptable as error:
            if self._has_line_end or not self._has_bytes:
                raise
            message = f"{error.message}{ONE_LINE}"
            raise NotAcceptable(
                message, code=error.code, param=error.param, problems=error.problems
            ) from error

    def _row_cutter(self) -> "_RowCutter":
        assert self._rows is not None  # `find_header` raises if a file ends without a header row
        return self._rows


class _RowCutter(RecordCutter):
    """Cuts after a line end that is not inside quotes."""

    def __init__(self, delimiter: str, *, part_bytes: int, max_items: int, first_line: int) -> None:
        super().__init__(part_bytes=part_bytes, max_items=max_items, first_line=first_line)
        self._delimiter = delimiter

    def _last_record(self, window: bytes) -> tuple[int, int]:
        if b'"' in window:
            end = records = 0
            for record in csv_grammar.whole_records(window, self._delimiter):
                records += record not in _BLANK
                end += len(record)
            return end, records
        # a CR as the last byte does not count, because its LF may still follow
        end = max(window.rfind(b"\n"), window.rfind(b"\r", 0, -1)) + 1
        return end, self._records(window[:end])

    def _records(self, part: bytes) -> int:
        if b'"' in part:
            return sum(record not in _BLANK for record in _raw_records(part, self._delimiter))
        return filled_lines(part.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


def spans(part: bytes, limit: int, layout: CsvLayout) -> Iterator[Span]:
    """Yield the spans of at most `limit` rows that are not blank."""
    return spans_of(_raw_records(part, layout.delimiter), limit, _BLANK.__contains__)


def records(run: bytes, layout: CsvLayout) -> Iterator[bytes]:
    """Yield the rows of a run with their line ends, one per record of its span."""
    return (record for record in _raw_records(run, layout.delimiter) if record not in _BLANK)


def decode(run: bytes, layout: CsvLayout) -> list[CsvItem]:
    """Return the rows of a run, one per record of its span; invalid bytes make a row unreadable.

    Cells are text, keyed by field; empty cells are left out. Extra cells are accepted if they are empty.
    """
    columns, width = layout.columns, len(layout.columns)
    try:
        rows, clean = _rows(run.decode(), layout.delimiter), True
    except UnicodeDecodeError:
        rows, clean = _rows(run.decode("utf-8", "surrogateescape"), layout.delimiter), False
    if clean and {width}.issuperset(map(len, rows)):
        # the lengths are checked above, and zip's `strict` would cost a fifth more here
        return [{name: cell for name, cell in zip(columns, row) if cell and name} for row in rows]  # noqa: B905
    return [
        {name: cell for name, cell in zip(columns, row, strict=True) if cell and name}
        if clean and len(row) == width
        else _item(record, row, columns)
        for record, row in zip(records(run, layout), rows, strict=True)
    ]


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Return the rows of `csv.reader` without blank lines; without quotes, `str.split` is faster."""
    plain = text.replace("\r\n", "\n")
    if '"' in plain or "\r" in plain:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    return [line.split(delimiter) for line in plain.split("\n") if line]


def _item(record: bytes, row: Sequence[str], columns: Sequence[str]) -> CsvItem:
    try:
        "".join(row).encode()  # fails on bytes that `surrogateescape` accepted
    except UnicodeEncodeError:
        return unreadable(record, ItemCode.INVALID_ENCODING, f"The row is not UTF-8.{ENCODING_CURE}")
    width = len(columns)
    if len(row) < width or any(row[width:]):
        message = f"The row has {len(row)} cells, and the header row has {width}."
        return unreadable(record, ItemCode.ROW_LENGTH, message)
    return {name: cell for name, cell in zip(columns, row, strict=False) if cell and name}


def _raw_records(text: bytes, delimiter: str) -> Iterator[bytes]:
    """Yield the records with their line ends, blank ones included."""
    if b'"' in text:
        return csv_grammar.raw_records(text, delimiter)
    return iter(text.splitlines(keepends=True))
