"""Split a bounded JSON body, `[…]` or `{"items": […]}`, into NDJSON parts.

An element keeps its text. Only its line breaks, which JSON allows between tokens alone, become spaces. So one
element is one line, and `schemas.formats.ndjson` reads the parts.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NoReturn

from schemas.errors import BodyTooLarge, NotAcceptable
from schemas.formats.json_text import MOST_READ_BYTES, WINDOW_BYTES, JsonText, ValueTooLong
from schemas.formats.ndjson import NdjsonCutter
from schemas.formats.records import MAX_RECORD_BYTES, PART_BYTES

_MAX_PROBLEMS: Final = 20  # a body could have a million of them
_MAX_MEMBERS: Final = 100  # of an object, besides the items
_LINES_AT_ONCE: Final = 100  # fed to the cutter
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
    found = _Reader(body, key=key, max_items=max_items, part_bytes=part_bytes).read()
    problems = tuple(islice(_problems(found, key, parameters), _MAX_PROBLEMS))
    return JsonEnvelope(
        parts=() if problems else tuple(found.parts),
        total=found.total or 0,
        other=found.other,
        problems=problems,
    )


@dataclass(slots=True)
class _Found:
    """The contents of a JSON body. `total` None: the array is missing. `too_long` ends the reading."""

    parts: list[bytes] = field(default_factory=list)
    total: int | None = None
    other: dict[str, Any] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    too_long: NotAcceptable | None = None


class _TooLong(Exception):
    """Ends the reading, because the next value is not read."""


class _Reader:
    """Reads a body element by element."""

    def __init__(self, body: bytes, *, key: str, max_items: int, part_bytes: int) -> None:
        self._text = JsonText(body)
        self._key = key
        self._max_items = max_items
        self._part_bytes = part_bytes
        self._other_bytes = 0
        self._found = _Found()

    def read(self) -> _Found:
        """Read the whole body. Raises MalformedBody, BodyTooLarge, NotAcceptable (too many members)."""
        try:
            if self._text.take("["):
                self._array()
            elif self._text.take("{"):
                self._object()
            else:
                self._text.skip()
            if not self._text.at_end:
                lines = " (one object on each line is application/x-ndjson)" if self._text.starts("{") else ""
                self._text.fail(f"more text follows its end{lines}")
        except _TooLong:
            pass
        except ValueTooLong:  # a body that is one long string
            self._found.total = None
        return self._found

    def _array(self) -> None:
        """Read the elements of an array after its bracket."""
        self._found.total = 0
        self._found.parts.clear()
        cutter = NdjsonCutter(part_bytes=self._part_bytes)
        if self._text.take("]"):
            return
        lines: list[bytes] = []
        while True:
            if run := self._text.skip_run(_LINES_AT_ONCE):
                lines.append(self._lines(run))
            lines.append(self._element())
            if len(lines) == _LINES_AT_ONCE or len(lines[-1]) > WINDOW_BYTES:
                self._found.parts += cutter.feed(b"".join(lines))
                lines.clear()
            if not self._text.take(","):
                break
        self._found.parts += cutter.feed(b"".join(lines))
        if not self._text.take("]"):
            self._text.fail("',' or ']' is expected")
        self._found.parts += cutter.flush()

    def _element(self) -> bytes:
        """Read an element; return it as a line, which begins with the line end of the one before it."""
        index = self._found.total or 0
        try:
            line = self._text.skip().encode().translate(_LINE_BREAKS_TO_SPACES)
        except ValueTooLong:
            line = b""
        if not line or len(line) > MAX_RECORD_BYTES:
            message = f"The item at index {index} has more than {MAX_RECORD_BYTES} bytes."
            self._refuse(message, f"{self._key}[{index}]")
        self._count(1)
        return b"\n" + line if index else line

    def _lines(self, elements: list[str]) -> bytes:
        """Return elements as lines, as `_element` does."""
        begin = b"\n" if self._found.total else b""
        self._count(len(elements))
        lines = "\n".join(elements).encode()
        if lines.count(b"\n") >= len(elements) or b"\r" in lines:
            lines = b"\n".join([one.encode().translate(_LINE_BREAKS_TO_SPACES) for one in elements])
        return begin + lines

    def _count(self, elements: int) -> None:
        self._found.total = (self._found.total or 0) + elements
        if self._found.total > self._max_items:
            raise BodyTooLarge(
                f"The request has more than {self._max_items} items. Send the rest in further requests.",
                code="too_many_items",
                param=self._key,
            )

    def _object(self) -> None:
        """Read the members of an object after its brace."""
        if self._text.take("}"):
            return
        while True:
            if not self._text.starts('"'):
                self._text.fail("a name in double quotation marks is expected")
            name = self._value("")
            if not self._text.take(":"):
                self._text.fail("':' is expected")
            self._member(name)
            if not self._text.take(","):
                break
        if not self._text.take("}"):
            self._text.fail("',' or '}' is expected")

    def _member(self, name: str) -> None:
        found = self._found
        if name in found.other or (name == self._key and found.total is not None):
            found.repeated.append(name)
        if name == self._key and self._text.take("["):
            self._array()
        else:
            found.other[name] = self._value(name)
        if len(found.other) + len(found.repeated) > _MAX_MEMBERS:
            message = f"The body has more than {_MAX_MEMBERS} parameters. Put the items under {self._key!r}."
            raise NotAcceptable(message, code="unknown_parameter")

    def _value(self, name: str) -> Any:
        """Read a value besides the items; all of them together have at most MOST_READ_BYTES."""
        try:
            value, text = self._text.read()
        except ValueTooLong:
            text = ""
            self._other_bytes = MOST_READ_BYTES
        self._other_bytes += len(text)
        if not text or self._other_bytes > MOST_READ_BYTES:
            message = f"The values besides the items have more than {MOST_READ_BYTES} bytes."
            self._refuse(message, _as_text(name))
        return value

    def _refuse(self, message: str, param: str) -> NoReturn:
        self._found.too_long = NotAcceptable(message, code="record_too_large", param=param)
        raise _TooLong


def _problems(found: _Found, key: str, parameters: Collection[str]) -> Iterator[NotAcceptable]:
    """Yield the problems of a body that is valid JSON."""
    if found.too_long is not None:
        yield found.too_long
    elif found.total is None and key in found.other:
        yield NotAcceptable(f"{key!r} must be an array.", code="invalid_parameter", param=key)
    elif found.total is None and parameters:
        yield NotAcceptable(f"{key!r} is missing. Send an array.", code="missing_parameter", param=key)
    elif found.total is None:
        message = f"The body must be an array of items, or an object that has it as {key!r}."
        yield NotAcceptable(message, code="missing_parameter", param=key)
    elif not found.total:
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


def _as_text(name: str) -> str:
    """Return a name that can be encoded as UTF-8: the escapes of JSON allow lone surrogates."""
    return name[:100].encode("utf-8", "replace").decode()
