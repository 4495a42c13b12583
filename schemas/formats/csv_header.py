"""Read the header row of a CSV file: the delimiter, and the field of each column."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from schemas.errors import MalformedBody, NotAcceptable
from schemas.formats import csv_grammar
from schemas.formats.csv_layout import CsvLayout
from schemas.formats.likely_causes import READ_BEFORE

HEADER_BYTES: Final = 64 * 1024  # of the header row and the blank lines before it
MAX_COLUMNS: Final = 1_000
_MAX_PROBLEMS: Final = 20  # a file that is not CSV may have thousands of "columns"
UnknownColumns: TypeAlias = Literal["refuse", "ignore", "keep"]
_OUTSIDE_QUOTES: Final = re.compile(rb'(?:[^"\r\n]++|"[^"]*+")*')
_MAP: Final = "Map it to a field with map.{0}=field, leave it out with map.{0}="
_STORE: Final = ", store it with map.{0}=metadata.key"
_ALL: Final = (
    "all such columns: unknown_columns=ignore leaves them out, unknown_columns=keep also returns them with "
    "the results, and unknown_columns=refuse, the default, refuses the file."
)
_QUOTED: Final = re.compile(rb'"[^"]*+(?:"|\Z)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns that a file may have.

    `known` returns the field for a cleaned name: None is unknown, "" is known and ignored. `names` are the
    fields to list in a message. `renames` maps columns, by the name in the file or the cleaned name, to
    fields; "" ignores the column. `unknown`: what to do with the other columns; "keep" leaves them out, and
    returns them with the results.
    """

    known: Callable[[str], str | None]
    names: Sequence[str]
    renames: Mapping[str, str] = field(default_factory=dict)
    unknown: UnknownColumns = "refuse"


@dataclass(frozen=True, slots=True)
class Header:
    """The start and the end of the header row in the bytes, and its delimiter."""

    start: int
    end: int
    delimiter: str


def find_header(head: bytes, *, final: bool) -> Header | None:
    """Find the header row at the start of a file; return None while more bytes are needed.

    Raises NotAcceptable(code="empty") or (code="record_too_large"). Every prefix of the file that is long
    enough gives the same header.
    """
    window = head[:HEADER_BYTES]
    settled = final or len(window) == HEADER_BYTES
    start = len(window) - len(window.lstrip(csv_grammar.LINE_ENDS))
    delimiter = _sniff(window, start, settled=settled) if start < len(window) else None
    if delimiter is not None:
        pattern = csv_grammar.record if final else csv_grammar.whole_record
        if found := pattern(delimiter).match(window, start):
            return Header(start, found.end(), delimiter)
    if not settled:
        return None
    if start == len(window):
        cause = "" if head else READ_BEFORE
        raise NotAcceptable(f"The file is empty: it has no header row.{cause}", code="empty")
    raise NotAcceptable(
        f"The header row does not end within {HEADER_BYTES} bytes. A quotation mark in it may never be "
        "closed.",
        code="record_too_large",
        param="line 1",
    )


def read_header(row: bytes, delimiter: str, columns: Columns) -> CsvLayout:
    """Return the layout that a header row declares.

    Raises NotAcceptable with every problem of the row (codes "unknown_columns", "duplicate_column",
    "empty") or for too many columns ("too_many_columns"), and MalformedBody if it is not UTF-8.
    """
    names = column_names(row, delimiter)
    renames = {clean_name(name): target for name, target in columns.renames.items()} | dict(columns.renames)
    fields = [_field(name, renames, columns) for name in names]
    unknown = list(_unknown(names, fields, renames, columns))
    problems = [*unknown, *_useless(names, columns), *_duplicate(names, fields)]
    if not any(fields) and (problems or None in fields):
        raise NotAcceptable(
            f"No column of the first row is known ({_listed(names)}): it must be a header row that names the "
            f"columns. {_known(columns)}",
            code="unknown_columns",
            param=problems[0].param if problems else None,
            problems=tuple(problems[:_MAX_PROBLEMS]),
        )
    if problems:
        raise NotAcceptable(
            _summary(problems),
            code=problems[0].code,
            param=problems[0].param,
            problems=tuple(problems[:_MAX_PROBLEMS]),
        )
    return CsvLayout(
        delimiter=delimiter,
        columns=tuple(name or "" for name in fields),
        left_out=_left_out(names, fields, columns),
        names=tuple(names) if columns.unknown == "keep" else (),
    )


def column_names(row: bytes, delimiter: str) -> list[str]:
    """Return the names of the columns as the file has them.

    Raises MalformedBody if the row is not UTF-8, NotAcceptable (codes "empty", "too_many_columns").
    """
    try:
        text = row.decode()
    except UnicodeDecodeError as error:
        raise MalformedBody(
            f"The header row is not UTF-8 (byte {error.start}). Save the file as UTF-8, or declare its "
            "charset, as in 'Content-Type: text/csv; charset=windows-1252'. charset=auto finds it out.",
            code="invalid_charset",
        ) from error
    names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter))]
    while names and not names[-1]:  # spreadsheets write separators after the last column
        names.pop()
    if not names:
        raise NotAcceptable("The first row of the file names no columns.", code="empty")
    if len(names) > MAX_COLUMNS:
        raise NotAcceptable(
            f"The header row has {len(names)} columns, and may have {MAX_COLUMNS}. Leave out those that are "
            "not needed.",
            code="too_many_columns",
        )
    return names


def clean_name(name: str) -> str:
    """Return the name of a column as it is compared: in lower case, with `_` for spaces and hyphens."""
    return re.sub(r"[\s\-]+", "_", name.strip().casefold())


def _sniff(window: bytes, start: int, *, settled: bool) -> str | None:
    """Return the most frequent delimiter outside quotes; None while the header has no end."""
    found = _OUTSIDE_QUOTES.match(window, start)
    assert found is not None  # it also matches no text at all
    end = found.end()
    if window[end : end + 1] not in {b"\r", b"\n"}:  # the end of the window, or a quote that is still open
        if not settled:
            return None
        end = start + len(window[start:].splitlines()[0])  # the quote is never closed
    line = _QUOTED.sub(b"", window[start:end])
    return max(csv_grammar.DELIMITERS, key=lambda mark: line.count(mark.encode()))


def _field(name: str, renames: Mapping[str, str], columns: Columns) -> str | None:
    target = _target(name, renames)
    if target is None:
        return columns.known(clean_name(name))
    return columns.known(clean_name(target)) if target else ""


def _target(name: str, renames: Mapping[str, str]) -> str | None:
    """Return the field that a column is renamed to, "" to ignore it; None: it keeps its name."""
    return renames.get(name, renames.get(clean_name(name)))


def _left_out(names: Sequence[str], fields: Sequence[str | None], columns: Columns) -> tuple[str, ...]:
    """Return the names of the columns that are ignored, except those that an exported file adds by itself.

    A name that would be taken for a field of another column gets an addition.
    """
    left_out: list[str] = []
    taken = {"", *filter(None, fields)}
    repeated: Counter[str] = Counter()
    for position, (name, found) in enumerate(zip(names, fields, strict=True), start=1):
        known = columns.known(clean_name(name))
        if found or known == "":
            left_out.append("")
            continue
        label = unique = f"{name} (left out)" if known in taken else name or f"column {position}"
        while unique in taken:
            repeated[label] += 1
            unique = f"{label} {repeated[label] + 1}"
        taken.add(unique)
        left_out.append(unique)
    return tuple(left_out) if any(left_out) else ()


def _unknown(
    names: Sequence[str], fields: Sequence[str | None], renames: Mapping[str, str], columns: Columns
) -> Iterator[NotAcceptable]:
    """Yield the columns that are refused. A rename to an unknown field is refused in any case."""
    for position, (name, found) in enumerate(zip(names, fields, strict=True), start=1):
        if found is not None:
            continue
        target = _target(name, renames)
        if target is None and columns.unknown != "refuse":
            continue
        if target is not None:
            label, cure = f"{target[:100]!r}, to which map.{name[:100]} maps a column,", ""
        elif name:
            label = f"{name[:100]!r}"
            stored = _STORE.format(name[:100]) if "metadata" in columns.names else ""
            cure = f" {_MAP.format(name[:100])}{stored}, or choose for {_ALL}"
        else:
            label = f"Column {position}, which has no name,"
            cure = f" Leave it out with map.=, or choose for {_ALL}"
        yield NotAcceptable(
            f"{label} is not a known column. {_known(columns)}{cure}",
            code="unknown_columns",
            param=name[:100] or None,
        )


def _useless(names: Sequence[str], columns: Columns) -> Iterator[NotAcceptable]:
    """Yield the renames of columns that the file lacks: a misspelt rename would silently lose a column.

    A rename is accepted if a column already has the name of the field, as in an exported file of errors.
    """
    present = {*names, *map(clean_name, names)}
    fields = set(map(columns.known, map(clean_name, names)))
    for name, target in columns.renames.items():
        if (
            name not in present
            and clean_name(name) not in present
            and not (target and columns.known(clean_name(target)) in fields)
        ):
            yield NotAcceptable(
                f"There is no column {name[:100]!r} in the file to rename. It has {_listed(names)}."
                if name
                else "Every column of the file has a name: leave out the parameter map.=.",
                code="unknown_columns",
                param=f"map.{name[:100]}",
            )


def _duplicate(names: Sequence[str], fields: Sequence[str | None]) -> Iterator[NotAcceptable]:
    for name, number in Counter(filter(None, fields)).items():
        if number > 1:
            same = [label for label, found in zip(names, fields, strict=True) if found == name]
            yield NotAcceptable(
                f"{number} columns are the field {name!r}: {_listed(same)}.",
                code="duplicate_column",
                param=name,
            )


def _summary(problems: Sequence[NotAcceptable]) -> str:
    rest = len(problems) - 1
    others = "There is 1 more problem" if rest == 1 else f"There are {rest} more problems"
    return problems[0].message + (f" {others} with the header row." if rest else "")


def _known(columns: Columns) -> str:
    return f"Known columns are {', '.join(columns.names)}."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
