"""Turn the cells of a CSV row into an item: `metadata.city` sets a key of `metadata`, JSON is parsed."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from schemas.formats import ndjson
from schemas.item_errors import ItemCode
from schemas.items.contacts import JSON_COLUMNS, NUMBER_COLUMNS
from schemas.items.faults import Fault


def nest(cells: dict[str, str]) -> tuple[Mapping[str, Any], list[Fault]]:
    """Return the item with its nested objects, and the faults of its cells.

    A column for one key overrides that key in the column of the whole object. A faulty cell stays under the
    name of its column, as text.
    """
    if not any(map(_is_nested, cells)):
        return cells, []
    item: dict[str, Any] = {}
    faults: list[Fault] = []
    for column, cell in cells.items():
        if "." not in column:
            item[column] = _object(column, cell, faults) if column in JSON_COLUMNS else cell
    for column, cell in cells.items():
        head, dot, key = column.partition(".")
        if not dot:
            continue
        inner = item.setdefault(head, {})
        if isinstance(inner, dict):
            inner[key] = number(cell) if column in NUMBER_COLUMNS else cell
        else:
            message = f"{head} is an object in one column and text in another: use one of the two"
            faults.append(Fault(head, ItemCode.WRONG_TYPE, message, cell))
            item[column] = cell
    return item, faults


def number(cell: str) -> int | str:
    """Return the number in a cell of one to four digits; any other cell stays text."""
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 5 else cell


@lru_cache(maxsize=1024)
def _is_nested(column: str) -> bool:
    return "." in column or column in JSON_COLUMNS


def _object(column: str, cell: str, faults: list[Fault]) -> dict[str, Any] | str:
    value = ndjson.decode_line(cell.encode(errors="surrogatepass"))  # the JSON rules of NDJSON
    if isinstance(value, dict):
        return value
    message = f"{column} is not a JSON object: write one, or use a column for each key, as in {column}.key"
    faults.append(Fault(column, ItemCode.WRONG_TYPE, message, cell))
    return cell
