"""Read a JSON text forward, value by value, in steps of bounded time.

The scanner of the `json` module lets no other thread run while it reads a value. So it sees a window of the
text only. The end of a longer value is found in short steps.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from math import isinf
from typing import Any, Final, NoReturn, TypeAlias

from schemas.errors import MalformedBody
from schemas.formats.json_end import end_of_value
from schemas.formats.records import MAX_RECORD_BYTES

WINDOW_BYTES: Final = 128 * 1024
MOST_READ_BYTES: Final = 256 * 1024  # of a value that is read: 15 ms for short values in it
LARGEST_BYTES: Final = MAX_RECORD_BYTES + 1024  # of a value that is skipped
_BOM: Final = b"\xef\xbb\xbf"
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*"', re.DOTALL)
_BEFORE_VALUES: Final = (b",", b"[", b"{")  # one of them comes before each value except the first
_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_REST_OF_NUMBER: Final = len("e+")  # of `1e+` the scanner reads `1`, because it does not see a digit
_Scan: TypeAlias = Callable[[str, int], tuple[Any, int]]  # from a text and a position: the value, and its end
_NEAR_END: Final = len("-Infinity")  # the longest token whose error is at its start, strings excepted


def has_more_values(text: bytes, most: int) -> bool:
    """Return whether a JSON text has more than `most` values, without reading it."""
    if (
        text.count(b'"') - text.count(b'\\"') > 4 * most
    ):  # a value has two strings at most: its name and itself
        return True
    if sum(map(text.count, _BEFORE_VALUES)) <= most:
        return False
    return sum(map(_STRING.sub(b"", text).count, _BEFORE_VALUES)) > most


class ValueTooLong(Exception):
    """A value is longer than `read` or `skip` allows."""


class JsonText:
    """A JSON text and a position in it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._start = len(_BOM) if body.startswith(_BOM) else 0  # of the window, in the body
        self._end = 0  # of the window, in the body
        self._window = ""
        self._pos = 0  # in the window
        self._load(WINDOW_BYTES)

    @property
    def at_end(self) -> bool:
        """Whether only white space is left."""
        self._skip_space()
        return self._pos == len(self._window)

    def starts(self, mark: str) -> bool:
        """Return whether the next character, after white space, is `mark`."""
        self._skip_space()
        return self._window.startswith(mark, self._pos)

    def take(self, mark: str) -> bool:
        """Read the next character if it is `mark`, and return whether it is."""
        if not self._window.startswith(mark, self._pos) and not self.starts(mark):
            return False
        self._pos += 1
        return True

    def read(self) -> tuple[Any, str]:
        """Read the next value, of at most MOST_READ_BYTES; return it and its text.

        Raises MalformedBody, ValueTooLong.
        """
        return self._scan(EXACT.raw_decode, MOST_READ_BYTES, EXACT.raw_decode)

    def skip(self) -> str:
        """Read the next value, of at most LARGEST_BYTES; return its text. Raises what `read` raises."""
        return self._scan(SKIPPING.raw_decode, LARGEST_BYTES, _skip_long)[1]

    def skip_run(self, most: int) -> list[str]:
        """Read up to `most` values that a comma follows, and the commas, as far as the window has them whole.

        Returns their texts: [] if the next value needs `skip`, which also tells what is wrong with it.
        """
        window, pos, scan = self._window, self._pos, SKIPPING.scan_once  # type: ignore[attr-defined]
        texts: list[str] = []
        with suppress(StopIteration, ValueError, RecursionError):
            while len(texts) < most:
                if window[pos : pos + 1] <= " ":
                    pos = _SPACE.match(window, pos).end()  # type: ignore[union-attr]  # also matches no text
                end = scan(window, pos)[1]
                if window[end : end + 1] != ",":
                    break
                texts.append(window[pos:end])
                pos = end + 1
                self._pos = pos
        return texts

    def _scan(self, scan: _Scan, most: int, scan_long: _Scan) -> tuple[Any, str]:
        """Read a value with `scan`, or, if it does not end within WINDOW_BYTES, with `scan_long`."""
        self._skip_space()
        size = 0  # of the window that was loaded for this value
        while True:
            window, pos = self._window, self._pos
            try:
                value, end = (scan_long if size == most else scan)(window, pos)
                if end + _REST_OF_NUMBER < len(window) or self._is_last:
                    self._pos = end
                    if size == most:
                        self._load(WINDOW_BYTES)  # the next value must not be read from a long window
                    return value, window[pos:end]
            except RecursionError:
                self.fail("the value that starts here is nested too deeply")
            except ValueError as error:
                if self._is_last or (size == most and not self._is_cut(error)):
                    self._fail_at(error)
            if size == most:
                raise ValueTooLong
            size = most if size else WINDOW_BYTES
            self._load(size)

    def fail(self, reason: str, pos: int | None = None) -> NoReturn:
        """Raise MalformedBody with the place of the next character, or of `pos` in the window."""
        offset = self._offset(self._pos if pos is None else pos)
        line = self._body.count(b"\n", 0, offset) + 1
        column = len(self._body[self._body.rfind(b"\n", 0, offset) + 1 : offset].decode()) + 1
        raise malformed(f"{reason}, at line {line}, column {column} (byte {offset})")

    def _skip_space(self) -> None:
        if self._window[self._pos : self._pos + 1] > " ":  # mostly
            return
        while True:
            found = _SPACE.match(self._window, self._pos)
            assert found is not None  # it also matches no text at all
            self._pos = found.end()
            if self._pos < len(self._window) or self._is_last:
                return
            self._load(WINDOW_BYTES)

    def _load(self, size: int) -> None:
        """Decode a window of about `size` bytes from the position on."""
        self._start = self._offset(self._pos)
        self._end = min(self._start + size, len(self._body))
        for _ in range(3):  # a window ends after a whole character
            if self._end < len(self._body) and self._body[self._end] & 0xC0 == 0x80:
                self._end -= 1
        try:
            self._window = self._body[self._start : self._end].decode()
        except UnicodeDecodeError as error:
            raise malformed(f"byte {self._start + error.start} is not UTF-8") from error
        self._pos = 0

    @property
    def _is_last(self) -> bool:
        """Whether the window ends where the body ends."""
        return self._end == len(self._body)

    def _offset(self, pos: int) -> int:
        return self._start + len(self._window[:pos].encode())

    def _is_cut(self, error: ValueError) -> bool:
        """Return whether the error comes from the end of the window, not from the text."""
        if not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated") or error.pos >= len(self._window) - _NEAR_END

    def _fail_at(self, error: ValueError) -> NoReturn:
        if isinstance(error, json.JSONDecodeError):
            self.fail(error.msg[:1].lower() + error.msg[1:], error.pos)
        self.fail(str(error))


def malformed(reason: str) -> MalformedBody:
    """Return the error for a body that is not JSON."""
    return MalformedBody(f"The body is not valid JSON: {reason}.", code="invalid_json")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if isinf(value):
        raise ValueError("a number is too large")
    return value


# SKIPPING only finds the end of a value. It reads integers with `float`, because `int` refuses a number of
# 5,000 digits; such a number fails its item when the item is read.
SKIPPING: Final = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)
EXACT: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)


def _skip_long(text: str, start: int) -> tuple[None, int]:
    return None, end_of_value(text, start, SKIPPING)
