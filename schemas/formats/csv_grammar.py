"""Find the end of a CSV record: the rules of Python's `csv.reader` (not strict) as regular expressions.

A quotation mark opens a quoted cell only as the first byte of the cell; inside it, two of them mean one.
After the closing mark, and in any other cell, everything up to the delimiter or the line end is literal.
A line ends with LF, CRLF or CR. The expressions match bytes: UTF-8 has no ASCII byte within a character, and
`surrogateescape` keeps every byte after an invalid one.

Repeats of characters are possessive. Repeats of groups are not, because possessive ones match wrongly before
Python 3.11.4, and Debian 12 has an older one. No two alternatives can match at one place, so there is only
one way to read a text, and a failed match costs no more than a successful one.

While an expression matches, no other thread runs: 150 ms for a record of 1 MiB. So `end_of_record` reads a
record that is longer than STEP_BYTES in several steps.
"""

import re
from collections.abc import Generator, Iterator
from functools import lru_cache
from typing import Final

DELIMITERS: Final = (",", ";", "\t", "|")
LINE_ENDS: Final = b"\r\n"
STEP_BYTES: Final = 32 * 1024
_QUOTED: Final = re.compile(rb'(?:[^"]++|"")*')


@lru_cache(maxsize=len(DELIMITERS))
def record(delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of a record with its line end, or up to the end of the text, where it is empty."""
    return re.compile(_body(delimiter) + rb"(?:\r\n?|\n|\Z)")


@lru_cache(maxsize=len(DELIMITERS))
def whole_record(delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of a record whose end is certain: after a CR, the next byte must not be a LF."""
    return re.compile(_body(delimiter) + rb"(?:\r\n|\n|\r(?=[^\n]))")


def raw_records(text: bytes, delimiter: str) -> Iterator[bytes]:
    """Yield the records of a text with their line ends, blank ones included."""
    end = yield from whole_records(text, delimiter)
    if end < len(text):
        yield text[end:]


def whole_records(text: bytes, delimiter: str) -> Generator[bytes, None, int]:
    """Yield the records whose ends are certain, with their line ends; return the end of the last one."""
    start = 0
    while True:
        stop = min(start + STEP_BYTES, len(text))
        for found in record(delimiter).finditer(text, start, stop):
            if (end := found.end()) == stop:  # the record may go on after the step
                break
            yield found[0]
            start = end
        after = end_of_record(text, start, delimiter)
        if after is None:
            return start
        yield text[start:after]
        start = after


def end_of_record(text: bytes, start: int, delimiter: str) -> int | None:
    """Return the position after the record that starts at `start`, as `whole_record` does; None: no end."""
    found = whole_record(delimiter).match(text, start, start + STEP_BYTES)
    return found.end() if found else _end_of_long(text, start, delimiter)


def _end_of_long(text: bytes, pos: int, delimiter: str) -> int | None:
    cells, rest_of_cell = _long(delimiter)
    while True:
        pos = _after(cells, text, pos)
        if text[pos : pos + 1] != b'"':
            break
        pos = _after(_QUOTED, text, pos + 1) + 1  # a quoted cell that is longer than a step
        pos = _after(rest_of_cell, text, pos)
    if text.startswith(b"\r\n", pos):
        return pos + 2
    is_certain = pos + 1 < len(text) if text[pos : pos + 1] == b"\r" else pos < len(text)
    return pos + 1 if is_certain else None


def _after(repeat: re.Pattern[bytes], text: bytes, pos: int) -> int:
    """Return the position after all repeats; each step matches at most STEP_BYTES."""
    while found := repeat.match(text, pos, pos + STEP_BYTES):
        if found.end() == pos:
            break
        pos = found.end()
    return pos


@lru_cache(maxsize=len(DELIMITERS))
def _long(delimiter: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return the patterns of cells that end within a step, and of what follows a closing mark in its cell."""
    mark = re.escape(delimiter.encode())
    quoted = _opening(mark) + rb'(?:[^"]++|"")*"(?=[^"])' + _rest_of_cell(mark)
    return re.compile(rb"(?:" + quoted + rb"|" + _literal(mark) + rb")*"), re.compile(_rest_of_cell(mark))


def _body(delimiter: str) -> bytes:
    mark = re.escape(delimiter.encode())
    closing = rb'"(?!")' + _rest_of_cell(mark)
    quoted = _opening(mark) + rb'(?:[^"]++|"")*(?:' + closing + rb"|\Z)"
    return rb"(?:" + quoted + rb"|" + _literal(mark) + rb")*"


def _opening(mark: bytes) -> bytes:
    return rb"(?<![^" + mark + rb'\r\n])"'


def _literal(mark: bytes) -> bytes:
    return rb'(?:[^"\r\n]++|(?<=[^' + mark + rb'\r\n])")'


def _rest_of_cell(mark: bytes) -> bytes:
    return rb"[^" + mark + rb"\r\n]*+"
