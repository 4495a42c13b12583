"""Split a bounded JSON body, `[…]` or `{"items": […]}`, into NDJSON parts.

An element keeps its text. Only its line breaks, which JSON allows between tokens alone, become spaces. So one
element is one line, and `schemas.formats.ndjson` reads the parts.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from math import isinf
from typing import Any, Final, NoReturn

from schemas.errors import BodyTooLarge, MalformedBody, NotAcceptable
from schemas.formats.ndjson import NdjsonCutter
from schemas.formats.records import MAX_RECORD_BYTES, PART_BYTES

_MAX_PROBLEMS: Final = 20  # a body could have a million of them
_BOM: Final = "\ufeff"
_SPACE: Final = re.compile(r"[ \t\n\r]*+")
_COMMA: Final = re.compile(r"[ \t\n\r]*+,[ \t\n\r]*+")
_COLON: Final = re.compile(r"[ \t\n\r]*+:[ \t\n\r]*+")
_LINE_BREAKS_TO_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonEnvelope:
    """A split body: NDJSON parts with `total` elements, the other members, and the problems."""

    parts: tuple[bytes, ...]
    total: int
    other: dict[str, Any]
    problems: tuple[NotAcceptable, ...]


def split_array(
    body: bytes,
    *,
    max_items: int,
    key: str = "items",
    parameters: Collection[str] = (),
    part_bytes: int = PART_BYTES,
) -> JsonEnvelope:
    """Split an array, or an object that has it under `key`; the object may also have `parameters`.

    Raises what `open_array` raises, and NotAcceptable with every problem of the envelope.
    """
    envelope = open_array(body, max_items=max_items, key=key, parameters=parameters, part_bytes=part_bytes)
    if envelope.problems:
        first = envelope.problems[0]
        raise NotAcceptable(first.message, code=first.code, param=first.param, problems=envelope.problems)
    return envelope


def open_array(
    body: bytes,
    *,
    max_items: int,
    key: str = "items",
    parameters: Collection[str] = (),
    part_bytes: int = PART_BYTES,
) -> JsonEnvelope:
    """Split like `split_array`, but return the problems instead of raising them; then there are no parts.

    Elements may be any JSON. Raises MalformedBody(code="invalid_json") with the position, and
    BodyTooLarge(code="too_many_items").
    """
    found = _Reader(body, key=key, max_items=max_items).read()
    lines = [element.encode().translate(_LINE_BREAKS_TO_SPACES) for element in found.elements or ()]
    problems = tuple(islice(chain(_problems(found, key, parameters), _too_large(lines, key)), _MAX_PROBLEMS))
    parts: tuple[bytes, ...] = ()
    if not problems:
        cutter = NdjsonCutter(part_bytes=part_bytes)
        parts = (*cutter.feed(b"\n".join(lines)), *cutter.flush())
    return JsonEnvelope(parts=parts, total=len(lines), other=found.other, problems=problems)


@dataclass(slots=True)
class _Found:
    """The contents of a JSON body: `elements` as raw text, None if the array is missing."""

    elements: list[str] | None = None
    other: dict[str, Any] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)


class _Reader:
    """Reads a body element by element, with the scanner of the `json` module."""

    def __init__(self, body: bytes, *, key: str, max_items: int) -> None:
        self._key = key
        self._max_items = max_items
        try:
            self._text = body.decode()
        except UnicodeDecodeError as error:
            raise _malformed(f"byte {error.start} is not UTF-8") from error

    def read(self) -> _Found:
        """Read the whole body. Raises MalformedBody, BodyTooLarge."""
        found = _Found()
        start = self._after(_SPACE, len(_BOM) if self._text.startswith(_BOM) else 0)
        match self._text[start : start + 1]:
            case "[":
                found.elements, end = self._array(start)
            case "{":
                end = self._object(start, found)
            case _:
                end = self._value(start, _SKIPPING)[1]
        end = self._after(_SPACE, end)
        if end < len(self._text):
            self._fail("more text follows its end", end)
        return found

    def _array(self, bracket: int) -> tuple[list[str], int]:
        """Return the raw elements of an array, and the position of its end."""
        elements: list[str] = []
        pos = self._after(_SPACE, bracket + 1)
        if self._text.startswith("]", pos):
            return elements, pos + 1
        while True:
            end = self._value(pos, _SKIPPING)[1]
            elements.append(self._text[pos:end])
            if len(elements) > self._max_items:
                raise BodyTooLarge(
                    f"The request has more than {self._max_items} items. Send the rest in further requests.",
                    code="too_many_items",
                    param=self._key,
                )
            comma = _COMMA.match(self._text, end)
            if comma is None:
                return elements, self._closing("]", end)
            pos = comma.end()

    def _object(self, brace: int, found: _Found) -> int:
        """Fill `found` with the members of an object; return the position of its end."""
        pos = self._after(_SPACE, brace + 1)
        if self._text.startswith("}", pos):
            return pos + 1
        while True:
            if not self._text.startswith('"', pos):
                self._fail("a name in double quotation marks is expected", pos)
            name, end = self._value(pos, _EXACT)
            pos = self._after(_COLON, end)
            if name in found.other or (name == self._key and found.elements is not None):
                found.repeated.append(name)
            if name == self._key and self._text.startswith("[", pos):
                found.elements, end = self._array(pos)
            else:
                found.other[name], end = self._value(pos, _EXACT)
            comma = _COMMA.match(self._text, end)
            if comma is None:
                return self._closing("}", end)
            pos = comma.end()

    def _closing(self, bracket: str, pos: int) -> int:
        pos = self._after(_SPACE, pos)
        if not self._text.startswith(bracket, pos):
            self._fail(f"',' or '{bracket}' is expected", pos)
        return pos + 1

    def _after(self, token: re.Pattern[str], pos: int) -> int:
        found = token.match(self._text, pos)
        if found is None:  # not with _SPACE, which also matches no text at all
            self._fail("':' is expected", pos)
        return found.end()

    def _value(self, pos: int, decoder: json.JSONDecoder) -> tuple[Any, int]:
        """Return the value that starts at `pos`, and the position of its end."""
        try:
            return decoder.raw_decode(self._text, pos)
        except json.JSONDecodeError as error:
            self._fail(error.msg[:1].lower() + error.msg[1:], error.pos)
        except RecursionError:
            self._fail("the value that starts here is nested too deeply", pos)
        except ValueError as error:
            self._fail(str(error), pos)

    def _fail(self, reason: str, pos: int) -> NoReturn:
        line = self._text.count("\n", 0, pos) + 1
        column = pos - self._text.rfind("\n", 0, pos)
        offset = len(self._text[:pos].encode())
        raise _malformed(f"{reason}, at line {line}, column {column} (byte {offset})")


def _problems(found: _Found, key: str, parameters: Collection[str]) -> Iterator[NotAcceptable]:
    """Yield the problems of a body that is valid JSON."""
    if found.elements is None and key in found.other:
        yield NotAcceptable(f"{key!r} must be an array.", code="invalid_parameter", param=key)
    elif found.elements is None and parameters:
        yield NotAcceptable(f"{key!r} is missing. Send an array.", code="missing_parameter", param=key)
    elif found.elements is None:
        message = f"The body must be an array of items, or an object that has it as {key!r}."
        yield NotAcceptable(message, code="missing_parameter", param=key)
    elif not found.elements:
        yield NotAcceptable(f"{key!r} is empty. Send at least one item.", code="empty", param=key)
    for name in found.repeated:
        yield NotAcceptable(
            f"{name[:100]!r} is given more than once.", code="duplicate_parameter", param=_as_text(name)
        )
    known = (key, *parameters)
    for name in found.other:
        if name not in known:
            message = f"{name[:100]!r} is not a known parameter. Known are {', '.join(known)}."
            yield NotAcceptable(message, code="unknown_parameter", param=_as_text(name))


def _too_large(lines: list[bytes], key: str) -> Iterator[NotAcceptable]:
    for index, line in enumerate(lines):
        if len(line) > MAX_RECORD_BYTES:
            message = f"The item at index {index} has more than {MAX_RECORD_BYTES} bytes."
            yield NotAcceptable(message, code="record_too_large", param=f"{key}[{index}]")


def _as_text(name: str) -> str:
    """Return a name that can be encoded as UTF-8: the escapes of JSON allow lone surrogates."""
    return name[:100].encode("utf-8", "replace").decode()


def _malformed(reason: str) -> MalformedBody:
    return MalformedBody(f"The body is not valid JSON: {reason}.", code="invalid_json")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if isinf(value):
        raise ValueError("a number is too large")
    return value


# _SKIPPING only finds the end of a value. It reads integers with `float`, because `int` refuses a number of
# 5,000 digits; such a number fails its item when the item is read.
_SKIPPING: Final = json.JSONDecoder(parse_int=float, parse_constant=_refuse_constant)
_EXACT: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
