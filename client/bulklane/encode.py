"""Turn rows into bytes: objects into lines of NDJSON, the rows of a data frame into CSV."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Protocol
from uuid import UUID

from bulklane.errors import RowError, SourceError
from bulklane.rows import DELIMITERS

EXACT = 2**53  # every whole number below it is a float of its own


class Encoder(Protocol):
    """Turns one item of a source after the other into bytes."""

    def feed(self, item: Any) -> bytes:
        """Return the bytes of an item. Raises SourceError."""


class Raw:
    """The pieces of a file: bytes, or text that is sent as UTF-8. `charset` is that of the bytes."""

    def __init__(self, charset: str | None) -> None:
        self._is_utf8 = (charset or "utf-8").lower() in {"utf-8", "utf8", "auto"}

    def feed(self, item: Any) -> bytes:
        """Return the piece."""
        if isinstance(item, str):
            if not self._is_utf8:
                raise SourceError("the source yields text, which is sent as UTF-8: leave charset= out")
            return item.encode()
        if isinstance(item, bytes | bytearray | memoryview):
            return bytes(item)
        raise SourceError(
            f"with format=, the source must yield bytes or text, not {type(item).__name__}: to send rows, "
            "leave format= out"
        )


class NdjsonRows:
    """Rows as JSON, one a line."""

    def __init__(self) -> None:
        self._index = -1

    def feed(self, item: Any) -> bytes:
        """Return the line of a row: an object, or the text or number that names a contact."""
        self._index += 1
        if isinstance(item, bytes | bytearray | memoryview):
            raise SourceError(
                "the source yields bytes: tell what they are with format='csv' or format='ndjson'"
            )
        try:
            text = json.dumps(
                item, ensure_ascii=False, allow_nan=False, default=_plain, separators=(",", ":")
            )
            return text.encode() + b"\n"
        except (TypeError, RecursionError) as error:
            raise RowError(self._index, f"cannot be written as JSON: {error}") from error
        except UnicodeEncodeError as error:
            raise RowError(self._index, "has half of a surrogate pair, which is no text") from error
        except (ValueError, ArithmeticError) as error:
            raise RowError(
                self._index,
                f"cannot be written as JSON ({error}): leave the field out, or send None to clear it",
            ) from error


class CsvRows:
    """Rows of a data frame as CSV, the names of its columns first."""

    def __init__(self, columns: Sequence[Any]) -> None:
        self._columns = [str(column) for column in columns]
        is_plain = not any(mark in name for name in self._columns for mark in DELIMITERS)
        self._quoting: Literal[0, 1] = csv.QUOTE_MINIMAL if is_plain else csv.QUOTE_ALL
        self._index = -1

    def feed(self, item: Any) -> bytes:
        """Return the line of a row."""
        self._index += 1
        line = io.StringIO()
        writer = csv.writer(line)
        if self._index == 0:  # the service looks for the separator outside quotes
            csv.writer(line, quoting=self._quoting).writerow(self._columns)
        try:
            cells = [_cell(value) for value in item]
        except (TypeError, ValueError) as error:
            raise RowError(self._index, f"has a value that CSV cannot hold: {error}") from error
        # a blank line is no row, and would shift the indexes of those behind it
        writer.writerow(cells) if any(cells) or len(cells) > 1 else line.write('""\r\n')
        return line.getvalue().encode()


def _plain(value: Any) -> Any:
    """Return a value that JSON has for one that it lacks. Raises TypeError."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case Enum():
            return value.value
        case Decimal():
            return _number(value)
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    for method in ("model_dump", "tolist"):  # pydantic; numpy and its scalars
        if callable(found := getattr(value, method, None)):
            return found()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _number(value: Decimal) -> int | float | str:
    """Return the number if a float holds all its digits, and its text otherwise."""
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _cell(value: Any) -> str:
    """Return the text of a cell. What is missing (None, NaN, NaT, NA) is an empty cell.

    pandas turns whole numbers into floats where one is missing; those are written as whole numbers again.
    """
    if hasattr(value, "dtype") and callable(found := getattr(value, "tolist", None)):
        value = found()
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if math.isnan(value):
            return ""
        case float() if value.is_integer() and abs(value) < EXACT:
            return str(int(value))
        case str():
            return value
        case Mapping() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
        case bytes():
            raise TypeError("bytes are no text: decode them first")
    return "" if type(value).__name__ in {"NAType", "NaTType"} else str(value)
