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
from typing import Any, BinaryIO, Literal, TypeAlias, cast

from bulklane.compression import Compression, opener

Format: TypeAlias = Literal["csv", "ndjson", "json", "xlsx"]
DELIMITERS = (",", ";", "\t", "|")
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
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
                    yield from (_value(line) for line in file if not line.isspace())
                case "json":
                    yield from _json_rows(file)
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


def _value(line: bytes) -> Any:
    """Return the value of a line, or its text if it is not JSON: the service reports it as an item error."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line.decode(errors="replace").rstrip("\r\n")


def _json_rows(file: BinaryIO) -> Sequence[Any]:
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
    buffered = io.BufferedReader(cast("io.RawIOBase", file), HEADER_BYTES)
    head = buffered.peek(HEADER_BYTES)
    charset = next((name for bom, name in BOMS if head.startswith(bom)), _known(charset))
    text = io.TextIOWrapper(buffered, charset, errors=WINDOWS, newline="")
    records = filter(None, csv.reader(text, delimiter=_delimiter(head.decode(charset, "replace"))))
    with suppress(csv.Error):
        names = _unique([name.strip() for name in next(records, [])])
        for record in records:
            yield dict(zip(names, record, strict=False))


def _known(charset: str | None) -> str:
    """Return a charset that Python knows. `auto` is UTF-8, in which WINDOWS reads what is not."""
    with suppress(LookupError):
        return codecs.lookup(charset or "utf-8").name
    return "utf-8"


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
