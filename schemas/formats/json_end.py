"""Find the end of a long JSON value in many short steps.

The scanner of the `json` module reads a value in one call, and meanwhile no other thread runs: 60 ms for a
value of 1 MiB. `end_of_value` reads arrays and objects itself, and calls the scanner for what is in them.
"""

import json
import re
from json import JSONDecodeError
from typing import Final

MAX_DEPTH: Final = 1_000  # of arrays and objects in each other
_CLOSING: Final = {"[": "]", "{": "}"}
_SPACE: Final = re.compile(r"[ \t\n\r]*+")


def end_of_value(text: str, start: int, decoder: json.JSONDecoder) -> int:
    """Return the position after the value that starts at `start`.

    `decoder` reads strings, numbers and constants. Raises what it raises: JSONDecodeError with the message
    and the position of the `json` module, RecursionError.
    """
    pos, open_ = start, ""  # the closing marks that are missing, the innermost one last
    while True:
        opening = text[pos : pos + 1]
        if closing := _CLOSING.get(opening):
            pos = _space(text, pos + 1)
            if text[pos : pos + 1] != closing:
                open_ = _deeper(open_, closing)
                pos = _name(text, pos) if closing == "}" else pos
                continue
            pos += 1
        else:
            pos = decoder.raw_decode(text, pos)[1]
        pos, open_ = _closed(text, pos, open_)
        if not open_:
            return pos
        pos = _next(text, pos, open_[-1])


def _deeper(open_: str, closing: str) -> str:
    if len(open_) == MAX_DEPTH:
        raise RecursionError
    return open_ + closing


def _closed(text: str, pos: int, open_: str) -> tuple[int, str]:
    """Read closing marks; return the position after the last one, and those that are still missing."""
    while open_:
        after = _space(text, pos)
        if text[after : after + 1] != open_[-1]:
            return after, open_
        pos, open_ = after + 1, open_[:-1]
    return pos, open_


def _next(text: str, pos: int, closing: str) -> int:
    """Read the comma, and the name of a member; return the position of the next value."""
    if text[pos : pos + 1] != ",":
        raise JSONDecodeError("Expecting ',' delimiter", text, pos)
    pos = _space(text, pos + 1)
    return _name(text, pos) if closing == "}" else pos


def _name(text: str, pos: int) -> int:
    """Read the name of a member and its colon; return the position of the value."""
    if text[pos : pos + 1] != '"':
        raise JSONDecodeError("Expecting property name enclosed in double quotes", text, pos)
    pos = _space(text, json.decoder.scanstring(text, pos + 1, True)[1])  # type: ignore[attr-defined]
    if text[pos : pos + 1] != ":":
        raise JSONDecodeError("Expecting ':' delimiter", text, pos)
    return _space(text, pos + 1)


def _space(text: str, pos: int) -> int:
    """Return the position after white space."""
    found = _SPACE.match(text, pos)
    assert found is not None  # it also matches no text at all
    return found.end()
