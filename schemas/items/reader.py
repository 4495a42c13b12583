"""Read valid items from the bytes of a chunk, for every operation and every format."""

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from schemas.formats import csv_rows, ndjson
from schemas.formats.content_type import Format
from schemas.formats.csv_layout import CsvLayout
from schemas.formats.records import Span, Unreadable
from schemas.items.cells import check, nest
from schemas.items.contacts import DATE_FORMAT
from schemas.items.dates import DateFormat
from schemas.items.faults import Fault, fault_of
from schemas.items.phone_numbers import with_text_phone
from schemas.items.unknown_fields import without_unknown

CHUNK_ITEMS = 1_000  # one transaction stays well under a second, and so does a retry


Context: TypeAlias = dict[str, Any] | None  # of a validation: see DATE_FORMAT


class Reader:
    """Reads items of one type. `known_column` is that of `csv_header.Columns`."""

    def __init__(self, item_type: type, known_column: Callable[[str], str | None]) -> None:
        adapter: TypeAdapter[Any] = TypeAdapter(item_type)
        # the validator without its wrapper saves half a microsecond per item
        self._validate_json = adapter.validator.validate_json
        self._validate_python = adapter.validator.validate_python
        self.known_column = known_column

    def read_line(self, line: bytes, context: Context = None, *, lenient: bool = False) -> Any | Fault:
        """Return the item in a line of NDJSON, or its fault. JSON has types: only a phone may be a number.

        `lenient`: fields that no item has are left out.
        """
        try:
            return self._validate_json(line, strict=True, context=context)
        except ValidationError as error:
            value = ndjson.decode_line(line)
            if isinstance(value, Unreadable):
                return _unreadable(value)
            text = with_text_phone(line, value)
            if text is None and lenient:
                text = without_unknown(value, error, self.known_column)
            return fault_of(error) if text is None else self.read_line(text, context, lenient=lenient)

    def read_cells(self, cells: dict[str, str] | Unreadable, context: Context = None) -> Any | Fault:
        """Return the item in a row of CSV, or its fault. Numbers and objects are read from text."""
        if isinstance(cells, Unreadable):
            return _unreadable(cells)
        if fault := check(cells):
            return fault
        item, faults = nest(cells)
        if faults:
            return faults[0]
        try:
            return self._validate_python(item, context=context)
        except ValidationError as error:
            return fault_of(error)


class Run:
    """The records of a chunk, read as items by position. `lenient` is that of `Reader.read_line`."""

    def __init__(
        self,
        reader: Reader,
        format_: str,
        layout: dict[str, Any] | None,
        body: bytes,
        date_format: DateFormat | None = None,
        *,
        lenient: bool = False,
    ) -> None:
        self._read: Callable[[Any, Context], Any | Fault]
        self._context = {DATE_FORMAT: date_format} if date_format else None
        self._records: list[Any]
        self._body = body
        self._fields: set[str] = set()  # of the items that were read
        self._is_csv = format_ == Format.CSV
        if self._is_csv:
            assert layout is not None
            self._layout = CsvLayout.from_dict(layout)
            self._records = csv_rows.decode(body, self._layout)
            self._read = reader.read_cells
        else:
            self._records = ndjson.lines(body)
            self._read = partial(reader.read_line, lenient=True) if lenient else reader.read_line

    def read(self, start: int, stop: int) -> list[Any | Fault]:
        """Return the items at the positions from `start` to before `stop`, or their faults."""
        items = [self._read(record, self._context) for record in self._records[start:stop]]
        self._fields = self._fields.union(*(item for item in items if type(item) is dict))
        return items

    @property
    def longest(self) -> int:
        """The largest `size` of a record of the chunk. May be more, up to the size of the chunk."""
        return len(self._body) if self._is_csv else max(map(len, self._records), default=0)

    def has_any(self, fields: Iterable[str]) -> bool:
        """Return whether an item that was read has one of the fields."""
        return not self._fields.isdisjoint(fields)

    def size(self, position: int) -> int:
        """Return about how many bytes the record has; at least the characters of any JSON object in it."""
        record = self._records[position]
        if isinstance(record, bytes):
            return len(record)
        return sum(map(len, record.values())) if isinstance(record, dict) else 0

    @cached_property
    def _sent(self) -> list[Any]:
        if not self._is_csv or not self._layout.left_out:
            return self._records
        return csv_rows.decode(self._body, self._layout.whole())

    def raw(self, position: int) -> Any:
        """Return the record as it was sent: JSON, or the text of a record that could not be read.

        A row of CSV has the cells of the columns that are left out, too.
        """
        record = self._sent[position]
        if isinstance(record, bytes):
            record = ndjson.decode_line(record)
        return record.text if isinstance(record, Unreadable) else record


def spans(format_: Format, layout: dict[str, Any] | None, part: bytes, limit: int) -> list[Span]:
    """Return the chunks of a part, of at most `limit` items each."""
    if format_ is Format.CSV:
        assert layout is not None
        return list(csv_rows.spans(part, limit, CsvLayout.from_dict(layout)))
    return list(ndjson.spans(part, limit))


def _unreadable(record: Unreadable) -> Fault:
    return Fault(None, record.code, record.message, None)
