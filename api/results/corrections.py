"""Write failed items with their errors, so that a client can correct them and send them back."""

import csv
import json
from typing import Any

from schemas.formats.csv_layout import CsvLayout
from schemas.item_errors import UNREAD, ItemError
from schemas.items import contacts, references
from schemas.items.cells import nest, number
from schemas.items.contacts import NUMBER_COLUMNS, SPELLINGS
from schemas.items.faults import Fault
from schemas.items.properties import Definitions
from schemas.operations import BY_ID, BY_PHONE, CONTACT, OPERATIONS, UNDONE, Operation


def columns_of(operation: Operation, layout: CsvLayout | None) -> list[str]:
    """Return the header row without the columns of the error: the columns of the file, named by field.

    Columns that are left out keep their names.
    """
    if layout:
        return [column for column in layout.whole().columns if column]
    if OPERATIONS[operation].items is UNDONE:
        return list(UNDONE.columns)
    contact = OPERATIONS[operation].items is CONTACT
    return ["ref", *(contacts.COLUMNS if contact else references.NAMES)]


def as_row(error: ItemError, operation: Operation, columns: list[str], layout: CsvLayout | None) -> list[Any]:
    """Return an item error as cells: those of the item, code and message, then cells without a column."""
    item, verdict = _item_of(error, operation), [error.code, error.message]
    if isinstance(item, dict):
        return [*(_cell(item, column) for column in columns), *verdict]
    cells = _cells_of(item, layout)
    names = layout.whole().columns if layout else columns
    named = dict(zip(names, cells, strict=False))
    return [*(named.get(column) for column in columns), *verdict, *cells[len(names) :]]


def as_line(
    error: ItemError, operation: Operation, layout: CsvLayout | None, definitions: Definitions
) -> dict[str, Any]:
    """Return an item error as a JSON object; a row of CSV becomes the item that its cells mean."""
    item = _item_of(error, operation)
    if not isinstance(item, dict):
        item = {"item": item}
    elif layout:
        item = _item_in({name: cell for name, cell in item.items() if name in layout.columns}, definitions)
    return {**item, "error_code": error.code, "error_message": error.message}


def split_cells(text: str, delimiter: str) -> list[str]:
    """Return the cells of a row; a row that is too long for that is one cell."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:  # a cell of a megabyte of invalid bytes, each shown as four characters
        return [text]


def _item_of(error: ItemError, operation: Operation) -> Any:
    """Return the item as it was sent; a bare value that names a contact becomes an object with its field.

    An item that was erased is an object without fields.
    """
    item, kind = {} if error.erased else error.item, OPERATIONS[operation].items
    if not isinstance(item, str | int) or error.code in UNREAD:
        return item
    if kind is BY_ID:
        return {"id": item}
    return {"phone": item} if kind is BY_PHONE else item


def _cell(item: dict[str, Any], column: str) -> Any:
    value = next((item[name] for name in SPELLINGS.get(column, (column,)) if name in item), None)
    if column == "birth_date" and isinstance(value, dict):
        return _iso_date(value)
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _iso_date(value: dict[str, Any]) -> str:
    """Return a date for a cell, `1990-05-17` or `--05-17`; anything else as JSON."""
    year, month, day = value.get("year"), value.get("month"), value.get("day")
    if type(month) is not int or type(day) is not int or type(year) not in {int, type(None)}:
        return json.dumps(value, ensure_ascii=False)
    return f"{'-' if year is None else f'{year:04}'}-{month:02}-{day:02}"


def _cells_of(item: Any, layout: CsvLayout | None) -> list[str]:
    """Return the cells of a record that could not be read."""
    text = item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
    return split_cells(text, layout.delimiter) if layout else [text]


def _item_in(cells: dict[str, str], definitions: Definitions) -> dict[str, Any]:
    """Return the item that the cells of a row mean, with JSON types; an invalid value stays text."""
    nested, _ = nest(cells)
    item: dict[str, Any] = {**nested}
    for name in NUMBER_COLUMNS & item.keys():
        item[name] = number(item[name])
    if isinstance(item.get("properties"), dict):
        item["properties"] = _typed(item["properties"], definitions)
    return item


def _typed(properties: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    """Convert properties from cells to numbers and booleans; any other value stays text, dates too."""
    typed: dict[str, Any] = {}
    for name, value in properties.items():
        checked = definitions.check({name: value}, from_text=True)
        if isinstance(checked, Fault):
            typed[name] = value
        else:
            typed |= {known: value if isinstance(read, str) else read for known, read in checked.items()}
    return typed
