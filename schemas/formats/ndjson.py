"""NDJSON: one JSON value per line, with LF or CRLF; blank lines are ignored."""

import re
from collections.abc import Iterator, Sequence
from math import isfinite
from os.path import commonprefix
from typing import Any, Final

from pydantic_core import from_json

from schemas.formats.likely_causes import READ_BEFORE, check_lines
from schemas.formats.records import (
    ENCODING_CURE,
    RawItem,
    RecordCutter,
    Span,
    Unreadable,
    filled_lines,
    spans_of,
    unreadable,
)
from schemas.item_errors import ItemCode

_LINE: Final = re.compile(rb"[^\n]*+\n|[^\n]++")
_SHORT_LINE: Final = 32  # bytes; to split a part of shorter lines takes many times its memory
_WHITESPACE: Final = b" \t\r\v\f"  # besides LF: what `bytes.isspace` accepts


class NdjsonCutter(RecordCutter):
    """Cuts after a LF."""

    def _last_record(self, window: bytes) -> tuple[int, int]:
        end = window.rfind(b"\n") + 1
        return end, self._records(window[:end])

    def _records(self, part: bytes) -> int:
        # to look for blank lines takes three times as long, and most bodies have an object in each line
        objects = part.count(b"}\n") + (part.count(b"}\r\n") if b"\r" in part else 0)
        if objects == part.count(b"\n") and part.endswith(b"\n"):
            return objects
        return filled_lines(part, _WHITESPACE)


class NdjsonBodyCutter(NdjsonCutter):
    """Cuts a body that a client declares as NDJSON. Raises MalformedBody if it is clearly another one."""

    _has_bytes = False  # whether there was a part

    def _counted(self, part: bytes, records: int) -> Iterator[bytes]:
        if not self._has_bytes:
            self._has_bytes = bool(part)
            check_lines(part)
        yield from super()._counted(part, records)

    def _cause_of_none(self) -> str:
        return "" if self._has_bytes else READ_BEFORE


def spans(part: bytes, limit: int) -> Iterator[Span]:
    """Yield the spans of at most `limit` lines that are not blank."""
    if (part.count(b"\n") + 1) * _SHORT_LINE < len(part):
        split = part.removesuffix(b"\n").split(b"\n")
        if not (b"" in split or any(map(bytes.isspace, split))):
            return _spans_of_filled(split, len(part), limit)
    # one at a time: `findall` would not let other threads run for some hundred milliseconds
    return spans_of((line[0] for line in _LINE.finditer(part)), limit, bytes.isspace)


def _spans_of_filled(split: Sequence[bytes], size: int, limit: int) -> Iterator[Span]:
    """Yield the spans of the lines of a part of `size` bytes, of which none is blank."""
    start = 0
    for at in range(0, len(split), limit):
        run = split[at : at + limit]
        end = min(start + sum(map(len, run)) + len(run), size)  # the last line may have no LF
        yield Span(start, end, len(run))
        start = end


def lines(run: bytes) -> list[bytes]:
    """Return the lines of a run that are not blank, one per item of its span; a CR at the end is kept."""
    return [line for line in run.split(b"\n") if line and not line.isspace()]


def decode(run: bytes) -> list[RawItem]:
    """Return the items of a run, one for each of `lines`; a line that is not JSON is an Unreadable.

    To be faster, give each of `lines` to a pydantic validator, and to `decode_line` only if that fails:
    both read the same JSON. A lone surrogate (`"\\ud800"`) is invalid. The last of repeated keys counts.
    """
    return [decode_line(line) for line in lines(run)]


def decode_line(line: bytes) -> RawItem:
    """Return the value of a line, or an Unreadable with the reason."""
    try:
        value: RawItem = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        return _explain(line, error)
    if not is_finite(value):
        return unreadable(line, ItemCode.INVALID_JSON, "The line is not valid JSON: a number is too large.")
    return value


def is_finite(value: Any) -> bool:
    """Return whether a value has no infinite number: `1e999` is valid JSON and is read as infinity."""
    kind = type(value)
    if kind is float:
        return isfinite(value)
    if kind is dict:
        return all(map(is_finite, value.values()))
    return kind is not list or all(map(is_finite, value))


class KeySearch:
    """Searches raw JSON for keys. It may find one that is not there, but misses none.

    The keys have no character that JSON must escape, but a client may escape any: `\\u0065xternal_id`.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]
        self._start = commonprefix(list(keys)).encode()  # noqa: RUF071 - they are no paths
        codes = sorted({letter.encode("utf-16-be").hex()[:4] for key in keys for letter in key})
        self._escaped = re.compile(rb"\\u(?:" + "|".join(codes).encode() + rb")", re.IGNORECASE)

    def may_be_in(self, text: bytes) -> bool:
        """Return whether a key may be in the text; escapes are searched only if the text has any."""
        if self._start in text and any(key in text for key in self._keys):
            return True
        # most texts have no backslash, and one byte is found much faster than two
        return b"\\" in text and b"\\u" in text and self._escaped.search(text) is not None


def _explain(line: bytes, error: ValueError) -> Unreadable:
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        return unreadable(
            line, ItemCode.INVALID_ENCODING, f"Byte {wrong.start} of the line is not UTF-8.{ENCODING_CURE}"
        )
    # always line 1, so only the column matters
    reason = str(error).replace("line 1 ", "")
    return unreadable(line, ItemCode.INVALID_JSON, f"The line is not valid JSON: {reason}.")
