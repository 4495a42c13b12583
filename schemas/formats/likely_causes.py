"""Say why a body is probably not what its content type declares, and how to send it."""

from collections.abc import Iterator
from typing import Final

from pydantic_core import from_json

from schemas.errors import MalformedBody

READ_BEFORE: Final = (
    " If it is an open file that was sent before, it was read to its end: open it again for each request."
)
ONE_LINE: Final = (
    " The whole body is one line. `curl -d` removes the line ends of a file: use --data-binary @FILE."
)
_MOST_BYTES: Final = 64 * 1024  # of the beginning that is looked at
_PRETTY: Final = (b"[", b"{", b"[{")  # the first line of an indented document


def check_lines(start: bytes) -> None:
    """Check the beginning of an NDJSON body. Raises MalformedBody if its lines are not one value each.

    A single line that is damaged is data: its item fails.
    """
    lines = _filled_lines(start[:_MOST_BYTES])
    first, second = next(lines, b""), next(lines, None)
    if first in _PRETTY and second is not None:
        raise _not_lines("a JSON document with line breaks in it")
    if second is None and len(start) <= _MOST_BYTES:
        _check_only_line(first)


def _check_only_line(line: bytes) -> None:
    if line.startswith(b"[") and _is_json(line):
        raise _not_lines("one JSON array")
    if not _is_json(line) and any(_is_json(line[: end + 1]) for end in _ends_of_objects(line)):
        raise MalformedBody(
            f"The body is not NDJSON: a second object follows the first one on its line.{ONE_LINE}",
            code="invalid_json",
        )


def _ends_of_objects(line: bytes) -> Iterator[int]:
    """Yield where the first objects of a line may end: a `}` before a `{`."""
    end = -1
    for _ in range(20):
        end = line.find(b"}", end + 1)
        if end < 0:
            return
        if line[end + 1 :].lstrip().startswith(b"{"):
            yield end


def _filled_lines(start: bytes) -> Iterator[bytes]:
    return (stripped for line in start.splitlines() if (stripped := line.strip()))


def _is_json(line: bytes) -> bool:
    try:
        from_json(line)
    except ValueError:
        return False
    return True


def _not_lines(found: str) -> MalformedBody:
    return MalformedBody(
        f"The body is {found}, and NDJSON has one value on each line. Send it with 'Content-Type: "
        "application/json', or write each item on a line of its own (`jq -c '.[]'`).",
        code="invalid_json",
    )
