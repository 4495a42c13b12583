"""Turn the cells of a CSV row into an item: `metadata.city` sets a key of `metadata`, JSON is parsed.

A cell has no type, so a text that a program wrote in place of a value is refused: see `program_texts`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from schemas.formats import ndjson
from schemas.item_errors import ItemCode
from schemas.items.contacts import ITEM_FIELDS, JSON_COLUMNS, JSON_FIELDS, KEY, NUMBER_COLUMNS
from schemas.items.faults import Fault
from schemas.items.program_texts import ALTERED, DECIMAL, NO_VALUE, NO_VALUES

_ID_COLUMNS: Final = ("external_id", "id")
_NUMBER_FIELDS: Final = tuple(field.name for field in ITEM_FIELDS if field.name in NUMBER_COLUMNS)
# `phone` has its own codes. The rest is the client's own data, in which "None" may be an answer.
_FREE: Final = {KEY, "ref", *JSON_FIELDS}
_NAMES: Final = {"name", "nickname"}  # Null and None are surnames, but `#N/A` and `<NA>` are not
_SHORT_NUMBER: Final = re.compile(r"(\d{1,4})(?:\.0+)?", re.ASCII)


def check(cells: Mapping[str, str]) -> Fault | None:
    """Return the fault of the first cell that a program wrote in place of a value, or None."""
    if not NO_VALUES.isdisjoint(cells.values()):
        for column, cell in cells.items():
            if cell in NO_VALUES and not _may_say(column, cell):
                return Fault(column, ItemCode.NOT_A_VALUE, f"{column} {NO_VALUE.format(cell)}", cell)
    for column in _ID_COLUMNS:  # `check_id` finds the other texts
        if (found := cells.get(column)) and DECIMAL.fullmatch(found):
            return Fault(column, ItemCode.ALTERED_NUMBER, f"{column} {ALTERED.format(found)}", found)
    for column in _NUMBER_FIELDS:  # pydantic reads "4_2" as 42
        if (found := cells.get(column)) and "_" in found:
            return Fault(column, ItemCode.WRONG_TYPE, f"{column}: input should be a whole number", found)
    return None


def _may_say(column: str, cell: str) -> bool:
    """Return whether a column may have a text that programs write for no value."""
    return column.partition(".")[0] in _FREE or (column in _NAMES and cell.isalpha())


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
    """Return the number in a cell such as `17`, or `17.0` as pandas writes it; any other cell stays text."""
    found = _SHORT_NUMBER.fullmatch(cell)
    return int(found[1]) if found else cell


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
