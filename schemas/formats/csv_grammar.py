"""Where a CSV record ends: the rules of Python's `csv.reader` (not strict) as regular expressions.

A quotation mark opens a quoted cell only as the first byte of the cell, and two of them are one inside it.
Behind the closing mark, and in any other cell, everything up to the delimiter or the line end is literal.
A line ends with LF, CRLF or CR. Bytes will do: UTF-8 has no ASCII byte within a character, and an invalid
byte swallows none either (`surrogateescape` keeps them all).

All repeats are possessive: they neither backtrack nor recurse, so their cost is linear.
"""

import re
from functools import lru_cache
from typing import Final

DELIMITERS: Final = (",", ";", "\t", "|")
LINE_ENDS: Final = b"\r\n"


@lru_cache(maxsize=len(DELIMITERS))
def record(delimiter: str) -> re.Pattern[bytes]:
    """One record with its line end, or up to the end of the text; empty at the very end."""
    return re.compile(_body(delimiter) + rb"(?:\r\n?|\n|\Z)")


@lru_cache(maxsize=len(DELIMITERS))
def whole_record(delimiter: str) -> re.Pattern[bytes]:
    """One record that surely ends: a CR must show that no LF follows."""
    return re.compile(_whole(delimiter))


@lru_cache(maxsize=len(DELIMITERS))
def whole_records(delimiter: str) -> re.Pattern[bytes]:
    """As many such records as there are."""
    return re.compile(rb"(?:" + _whole(delimiter) + rb")*+")


def _whole(delimiter: str) -> bytes:
    return _body(delimiter) + rb"(?:\r\n|\n|\r(?=[^\n]))"


def _body(delimiter: str) -> bytes:
    mark = re.escape(delimiter.encode())
    at_cell_start = rb"(?<![^" + mark + rb"\r\n])"
    quoted = at_cell_start + rb'"[^"]*+(?:""[^"]*+)*+(?:"|\Z)'
    # any other quotation mark stands alone and is literal, one behind a closing mark too
    return rb'[^"\r\n]*+(?:(?:' + quoted + rb'|")[^"\r\n]*+)*+'
