"""Read the rows that were sent once more, to put each beside its error or its result."""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO, TypeAlias, cast

from bulklane.compression import Compression, opener

Format: TypeAlias = Literal["csv", "ndjson", "json", "xlsx"]
DELIMITERS = (",", ";", "\t", "|")
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
SPACE = " \t\r\n\v\f"  # a line of nothing else is blank
WINDOWS = "bulklane-windows-1252"  # how bytes are read that are not of the charset
HEADER_BYTES = 64 * 1024
CELL_BYTES = 2 * 1024 * 1024  # more than a row may have
QUOTED = re.compile(r'"[^"]*(?:"|\Z)')
OUTSIDE_QUOTES = re.compile(r'(?:[^"\r\n]+|"[^"]*")*')


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file that was sent, or the spool of what was sent."""

    open: Callable[[], BinaryIO]
    format: Format
    compression: Compression = "none"
    charset: str | None = None

    def rows(self) -> Iterator[Any]:
        """Yield the rows, in the order of the service's indexes."""
        with self.open() as raw, opener(self.compression)(raw) as file:
            match self.format:
                case "csv":
                    yield from _csv_rows(file, self.charset)
                case "ndjson":
                    text, _ = _text(file, self.charset, newline="\n")
                    yield from (_value(line) for line in text if line.strip(SPACE))
                case "json":
                    yield from _json_rows(_text(file, self.charset, newline="")[0])
                case "xlsx":
                    return


SentRows: TypeAlias = Sequence[Any] | SentFile


def is_sheet(sent: SentRows | None) -> bool:
    """Return whether only the service can read the rows: those of a spreadsheet."""
    return isinstance(sent, SentFile) and sent.format == "xlsx"


def json_lines(file: Path) -> Iterator[Any]:
    """Yield the values of the lines of a file of results."""
    with file.open("rb") as lines:
        yield from map(json.loads, lines)


class RowFinder:
    """Finds rows by indexes that only grow, in constant memory."""

    def __init__(self, sent: SentRows | None) -> None:
        self._rows = sent if isinstance(sent, Sequence) else None
        self._iterator = sent.rows() if isinstance(sent, SentFile) else None
        self._next = 0

    def find(self, index: int) -> Any:
        """Return a row; None if there is no such row here."""
        if self._rows is not None:
            return self._rows[index] if index < len(self._rows) else None
        if self._iterator is None or index < self._next:
            return None
        row = next(islice(self._iterator, index - self._next, None), None)
        self._next = index + 1
        return row


def _text(file: BinaryIO, charset: str | None, *, newline: str) -> tuple[io.TextIOWrapper, str]:
    """Return the text of a file, in the charset in which the service reads it, and its beginning."""
    buffered = io.BufferedReader(cast("io.RawIOBase", file), HEADER_BYTES)
    head = buffered.peek(HEADER_BYTES)
    charset = next((name for bom, name in BOMS if head.startswith(bom)), None) or _known(charset, head)
    text = io.TextIOWrapper(buffered, charset, errors=WINDOWS, newline=newline)
    return text, head.decode(charset, "replace")


def _value(line: str) -> Any:
    """Return the value of a line, or its text if it is not JSON: the service reports it as an item error."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line.rstrip("\r\n")


def _json_rows(file: TextIO) -> Sequence[Any]:
    """Return the items of a JSON document; none if it cannot be read."""
    try:
        value = json.load(file)
        return cast("Sequence[Any]", value["items"] if isinstance(value, dict) else value)
    except (ValueError, KeyError, RecursionError):
        return ()


def _csv_rows(file: BinaryIO, charset: str | None) -> Iterator[dict[str, str]]:
    """Yield the rows as the service counts them: blank lines are none, a row of separators is one.

    They end at a cell that is longer than a row may be.
    """
    csv.field_size_limit(max(csv.field_size_limit(), CELL_BYTES))
    text, head = _text(file, charset, newline="")
    records = filter(None, csv.reader(text, delimiter=_delimiter(head)))
    with suppress(csv.Error):
        names = _unique([name.strip() for name in next(records, [])])
        for record in records:
            yield dict(zip(names, record, strict=False))


def _known(charset: str | None, head: bytes) -> str:
    """Return a charset that Python knows. `auto` is UTF-8, in which WINDOWS reads what is not.

    UTF-16 without a byte-order mark has a NUL in the first characters.
    """
    name = None
    with suppress(LookupError):
        name = codecs.lookup(charset or "auto").name
    if name not in {None, "utf-16"}:
        return str(name)
    match [byte == 0 for byte in head[:4]]:
        case [False, True, False, True]:
            return "utf-16-le"
        case [True, False, True, False]:
            return "utf-16-be"
    return "utf-8" if name is None else "utf-16-le"


def _as_windows(error: UnicodeError) -> tuple[str, int]:
    """Return what bytes that cannot be decoded are in windows-1252, and where to go on."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(WINDOWS, _as_windows)


def _delimiter(head: str) -> str:
    """Return the separator that the header row has most often, outside quotes."""
    start = head.lstrip("\r\n")
    found = OUTSIDE_QUOTES.match(start)
    line = QUOTED.sub("", found[0] if found else "")
    return max(DELIMITERS, key=line.count)


def _unique(names: list[str]) -> list[str]:
    """Give columns without a name, and those that occur twice, a name of their own."""
    found: list[str] = []
    for position, name in enumerate(names, start=1):
        label = name or f"column {position}"
        found.append(label if label not in found else f"{label} {position}")
    return found
