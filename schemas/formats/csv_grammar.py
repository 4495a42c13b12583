"""Find the end of a CSV record: the rules of Python's `csv.reader` (not strict) as regular expressions.

A quotation mark opens a quoted cell only as the first byte of the cell; inside it, two of them mean one.
After the closing mark, and in any other cell, everything up to the delimiter or the line end is literal.
A line ends with LF, CRLF or CR. The expressions match bytes: UTF-8 has no ASCII byte within a character, and
`surrogateescape` keeps every byte after an invalid one.

Repeats of characters are possessive. Repeats of groups are not, because possessive ones match wrongly before
Python 3.11.4, and Debian 12 has an older one. No two alternatives can match at one place, so there is only
one way to read a text, and a failed match costs no more than a successful one.
"""

import re
from functools import lru_cache
from typing import Final

DELIMITERS: Final = (",", ";", "\t", "|")
LINE_ENDS: Final = b"\r\n"


@lru_cache(maxsize=len(DELIMITERS))
def record(delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of a record with its line end, or up to the end of the text, where it is empty."""
    return re.compile(_body(delimiter) + rb"(?:\r\n?|\n|\Z)")


@lru_cache(maxsize=len(DELIMITERS))
def whole_record(delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of a record whose end is certain: after a CR, the next byte must not be a LF."""
    return re.compile(_body(delimiter) + rb"(?:\r\n|\n|\r(?=[^\n]))")


def _body(delimiter: str) -> bytes:
    mark = re.escape(delimiter.encode())
    at_cell_start = rb"(?<![^" + mark + rb"\r\n])"
    within_cell = rb"(?<=[^" + mark + rb"\r\n])"
    closing = rb'"(?!")[^' + mark + rb"\r\n]*+"
    quoted = at_cell_start + rb'"(?:[^"]++|"")*(?:' + closing + rb"|\Z)"
    return rb"(?:" + quoted + rb'|[^"\r\n]++|' + within_cell + rb'")*'
