"""NDJSON: one JSON value a line, LF or CRLF; blank lines do not count."""

import re
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, Final

from pydantic_core import from_json

from schemas.formats.records import RawItem, RecordCutter, Span, Unreadable, spans_of, unreadable
from schemas.item_errors import ItemCode

_LINE: Final = re.compile(rb"[^\n]*+\n|[^\n]++")


class NdjsonCutter(RecordCutter):
    """Cuts behind a LF."""

    def _boundary(self, window: bytes) -> int:
        return window.rfind(b"\n") + 1

    def _is_blank(self, part: bytes) -> bool:
        return part.isspace()


def spans(part: bytes, limit: int) -> Iterator[Span]:
    """Runs of at most `limit` lines that are not blank."""
    return spans_of(_LINE.findall(part), limit, bytes.isspace)


def lines(run: bytes) -> list[bytes]:
    """The lines of a run that are not blank, as many as its span has items; a CR at the end stays."""
    return [line for line in run.split(b"\n") if line and not line.isspace()]


def decode(run: bytes) -> list[RawItem]:
    """The items of a run, one for each of `lines`, whatever the bytes are.

    For the fast way give each of `lines` to a pydantic validator, and to `decode_line` where that fails:
    it reads the same JSON. A lone surrogate (`"\\ud800"`) is no text and so no JSON here; of a key that
    comes twice the last one counts.
    """
    return [decode_line(line) for line in lines(run)]


def decode_line(line: bytes) -> RawItem:
    """One value, or why there is none."""
    try:
        value: RawItem = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        return _explain(line, error)
    if not is_finite(value):
        return unreadable(line, ItemCode.INVALID_JSON, "A number in it is too large.")
    return value


def is_finite(value: Any) -> bool:
    """Whether no number in it is infinite: `1e999` is valid JSON, and is read as infinity."""
    kind = type(value)
    if kind is float:
        return isfinite(value)
    if kind is dict:
        return all(map(is_finite, value.values()))
    return kind is not list or all(map(is_finite, value))


class KeySearch:
    """Tells whether raw JSON may have one of some keys. It may say yes in vain, but misses none.

    The keys have no character that JSON must escape. A client may escape any other: `\\u0065xternal_id`.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]
        codes = sorted({letter.encode("utf-16-be").hex()[:4] for key in keys for letter in key})
        self._escaped = re.compile(rb"\\u(?:" + "|".join(codes).encode() + rb")", re.IGNORECASE)

    def may_be_in(self, text: bytes) -> bool:
        """Search at the speed of `in`, and for escapes only where there are any."""
        return any(key in text for key in self._keys) or (
            b"\\u" in text and self._escaped.search(text) is not None
        )


def _explain(line: bytes, error: ValueError) -> Unreadable:
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        return unreadable(line, ItemCode.INVALID_ENCODING, f"Byte {wrong.start} of the line is not UTF-8.")
    # one line, so "at line 1 column 7" says no more than "at column 7"
    reason = str(error).replace("line 1 ", "")
    return unreadable(line, ItemCode.INVALID_JSON, f"The line is not valid JSON: {reason}.")
