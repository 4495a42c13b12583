"""From the bytes of a chunk to valid items: the one way for every operation and every format."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.formats import csv_rows, ndjson
from schemas.formats.content_type import Format
from schemas.formats.csv_header import CsvLayout
from schemas.formats.records import Span, Unreadable
from schemas.item_errors import ItemCode
from schemas.items.contacts import JSON_COLUMNS, NUMBER_COLUMNS
from schemas.items.faults import Fault, fault_of

CHUNK_ITEMS = 1_000  # one transaction stays well under a second, and so does a retry


class Reader:
    """Reads items of one type. `known_column` names the field of a CSV column: see `csv_header.Columns`."""

    def __init__(self, item_type: type, known_column: Callable[[str], str | None]) -> None:
        adapter: TypeAdapter[Any] = TypeAdapter(item_type)
        # its validator without the wrapper around it: half a microsecond an item
        self._validate_json = adapter.validator.validate_json
        self._validate_python = adapter.validator.validate_python
        self.known_column = known_column

    def read_line(self, line: bytes) -> Any | Fault:
        """The item in a line of NDJSON. JSON has types, so nothing is converted."""
        try:
            return self._validate_json(line, strict=True)
        except ValidationError as error:
            value = ndjson.decode_line(line)
            return _unreadable(value) if isinstance(value, Unreadable) else fault_of(error)

    def read_cells(self, cells: dict[str, str] | Unreadable) -> Any | Fault:
        """The item in a row of CSV. All is text there, so numbers and documents are read from it."""
        if isinstance(cells, Unreadable):
            return _unreadable(cells)
        try:
            return self._validate_python(_nest(cells))
        except ValidationError as error:
            return fault_of(error)
        except _BadCell as error:
            return error.fault


class Run:
    """The records of a chunk, to be read one by one; `raw` gives one as it came, for an item error."""

    def __init__(self, reader: Reader, format_: str, layout: dict[str, Any] | None, body: bytes) -> None:
        self._read: Callable[[Any], Any | Fault]
        self._records: list[Any]
        if format_ == Format.CSV:
            assert layout is not None
            self._records = csv_rows.decode(body, CsvLayout.from_dict(layout))
            self._read = reader.read_cells
        else:
            self._records = ndjson.lines(body)
            self._read = reader.read_line

    def read(self, start: int, stop: int) -> list[Any | Fault]:
        """The items at some positions, or what is wrong with them."""
        return [self._read(record) for record in self._records[start:stop]]

    def size(self, position: int) -> int:
        """About how many bytes the record has: not fewer than any document in it has characters."""
        record = self._records[position]
        if isinstance(record, bytes):
            return len(record)
        return sum(map(len, record.values())) if isinstance(record, dict) else 0

    def raw(self, position: int) -> Any:
        """The record as JSON: an object, or the text of what is none."""
        record = self._records[position]
        if isinstance(record, bytes):
            record = ndjson.decode_line(record)
        return record.text if isinstance(record, Unreadable) else record


def spans(format_: Format, layout: dict[str, Any] | None, part: bytes, limit: int) -> list[Span]:
    """The chunks of a part."""
    if format_ is Format.CSV:
        assert layout is not None
        return list(csv_rows.spans(part, limit, CsvLayout.from_dict(layout)))
    return list(ndjson.spans(part, limit))


class _BadCell(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _nest(cells: dict[str, str]) -> Mapping[str, Any]:
    """`metadata.city` and `metadata` (as JSON) become one object; so do properties, address, birth_date."""
    if not any(map(_is_nested, cells)):
        return cells
    item: dict[str, Any] = {}
    for column, cell in cells.items():
        if not _is_nested(column):
            item[column] = cell
            continue
        head, dot, key = column.partition(".")
        if not dot:
            item[column] = _document(column, cell) | item.get(column, {})
            continue
        inner = item.setdefault(head, {})
        if not isinstance(inner, dict):
            message = f"{head} is an object in one column and text in another: use one of the two"
            raise _BadCell(Fault(head, ItemCode.WRONG_TYPE, message, cell))
        inner[key] = _number(cell) if column in NUMBER_COLUMNS else cell
    return item


@lru_cache(maxsize=1024)
def _is_nested(column: str) -> bool:
    return "." in column or column in JSON_COLUMNS


def _number(cell: str) -> int | str:
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 5 else cell


def _document(column: str, cell: str) -> dict[str, Any]:
    value = ndjson.decode_line(cell.encode(errors="surrogatepass"))  # the same JSON as everywhere
    if isinstance(value, dict):
        return value
    message = f"{column} is not a JSON object: write one, or a column for each key, as in {column}.key"
    raise _BadCell(Fault(column, ItemCode.WRONG_TYPE, message, cell))


def _unreadable(record: Unreadable) -> Fault:
    return Fault(None, record.code, record.message, None)
