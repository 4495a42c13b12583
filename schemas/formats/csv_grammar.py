"""Where a CSV record ends: the rules of Python's `csv.reader` (not strict) as regular expressions.

A quotation mark opens a quoted cell only as the first byte of the cell, and two of them are one inside it.
Behind the closing mark, and in any other cell, everything up to the delimiter or the line end is literal.
A line ends with LF, CRLF or CR. Bytes will do: UTF-8 has no ASCII byte within a character, and an invalid
byte swallows none either (`surrogateescape` keeps them all).

Repeats of characters are possessive. Repeats of groups are not: until Python 3.11.4, which Debian 12 is older
than, those match wrongly. But no two alternatives can match at one place, so there is one way to read a
text, and to give up costs no more than to have read it.
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
    return re.compile(_body(delimiter) + rb"(?:\r\n|\n|\r(?=[^\n]))")


def _body(delimiter: str) -> bytes:
    mark = re.escape(delimiter.encode())
    at_cell_start = rb"(?<![^" + mark + rb"\r\n])"
    within_cell = rb"(?<=[^" + mark + rb"\r\n])"
    closing = rb'"(?!")[^' + mark + rb"\r\n]*+"
    quoted = at_cell_start + rb'"(?:[^"]++|"")*(?:' + closing + rb"|\Z)"
    return rb"(?:" + quoted + rb'|[^"\r\n]++|' + within_cell + rb'")*'
