"""The first rows of a file, read by the code that reads the whole file later, and a field for each column."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final

from schemas.errors import MalformedBody, NotAcceptable
from schemas.formats import csv_grammar, csv_rows, ndjson
from schemas.formats.content_type import Format
from schemas.formats.csv_header import MAX_COLUMNS, column_names, find_header
from schemas.formats.csv_layout import CsvLayout
from schemas.formats.json_text import JsonText, ValueTooLong
from schemas.formats.records import Unreadable
from schemas.items.contacts import ECHOES, SPELLINGS
from schemas.items.references import SPELLINGS as REFERENCE_SPELLINGS
from schemas.operations import BY_PHONE, CONTACT, OPERATIONS, ItemKind, Operation
from schemas.previews.column_mapping import Match, Proposal, propose
from schemas.previews.file_kind import Beginning, FileKind, read_beginning

MOST_ROWS: Final = 10
MOST_CHARACTERS: Final = 200  # of a cell that is shown
_ITEMS: Final = "items"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewColumn:
    """A column: its name in the file, and the field that is proposed for it. Only CSV can be mapped."""

    name: str
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What is known of a file before it is sent. A row has a text for each column, or is unreadable."""

    kind: FileKind
    delimiter: str | None  # of CSV
    columns: tuple[PreviewColumn, ...]
    rows: tuple[tuple[str, ...] | Unreadable, ...]

    @property
    def is_mapped(self) -> bool:
        """Whether columns can be given other names: JSON items have fields."""
        return self.kind.format is Format.CSV


def preview_of(
    head: bytes,
    operation: Operation,
    *,
    file_name: str = "",
    charset: str | None = None,
    whole: bool = False,
    properties: Iterable[str] = (),
    book: BinaryIO | None = None,
) -> Preview:
    """Return the preview of a file of which `head` are the first bytes; `whole`: they are all of them.

    `book` is that of `read_beginning`. Raises what `read_beginning` raises, MalformedBody and NotAcceptable.
    """
    beginning = read_beginning(head, file_name, charset=charset, whole=whole, book=book)
    kind = OPERATIONS[operation].items
    if beginning.kind.format is Format.CSV:
        return _of_csv(beginning, kind, properties)
    return _of_items(beginning, kind)


def _of_csv(beginning: Beginning, kind: ItemKind, properties: Iterable[str]) -> Preview:
    text = beginning.text
    header = find_header(text, final=False) or find_header(text, final=True)
    assert header is not None  # with `final` there is a header, or an error
    names = column_names(text[header.start : header.end], header.delimiter)
    layout = CsvLayout(delimiter=header.delimiter, columns=tuple(map(str, range(len(names)))))
    rows = list(islice(_rows(text[header.end :], layout, whole=beginning.whole), MOST_ROWS))
    proposals = propose(names, kind, properties, [_sample(column, rows) for column in layout.columns])
    return Preview(
        kind=beginning.kind,
        delimiter=header.delimiter,
        columns=tuple(
            PreviewColumn(name=name, proposal=proposal)
            for name, proposal in zip(names, proposals, strict=True)
        ),
        rows=tuple(
            row
            if isinstance(row, Unreadable)
            else tuple(_shown(row.get(column, "")) for column in layout.columns)
            for row in rows
        ),
    )


def _rows(text: bytes, layout: CsvLayout, *, whole: bool) -> Iterator[csv_rows.CsvItem]:
    """Yield the rows that are certain to be whole."""
    records = csv_grammar.raw_records if whole else csv_grammar.whole_records
    for record in records(text, layout.delimiter):
        yield from csv_rows.decode(record, layout)


def _sample(column: str, rows: Iterable[csv_rows.CsvItem]) -> str:
    """Return the first cell of a column that is not empty."""
    return next((row[column] for row in rows if not isinstance(row, Unreadable) and column in row), "")


def _of_items(beginning: Beginning, kind: ItemKind) -> Preview:
    read = _lines if beginning.kind.format is Format.NDJSON else _elements
    items = list(islice(read(beginning), MOST_ROWS))
    if not items:
        raise NotAcceptable("No item was found at the beginning of the file.", code="empty")
    objects = [_as_object(item, kind) for item in items]
    names = list(dict.fromkeys(name for item in objects if isinstance(item, dict) for name in item))
    del names[MAX_COLUMNS:]  # a page with more would take seconds to write
    return Preview(
        kind=beginning.kind,
        delimiter=None,
        columns=tuple(PreviewColumn(name=name, proposal=_as_it_is(name, kind)) for name in names),
        rows=tuple(
            item
            if isinstance(item, Unreadable)
            else tuple(_shown(_text(item[name])) if name in item else "" for name in names)
            for item in objects
        ),
    )


def _lines(beginning: Beginning) -> Iterator[Any]:
    lines = beginning.text.split(b"\n")
    for line in lines if beginning.whole else lines[:-1]:
        if line.strip():
            yield ndjson.decode_line(line)


def _elements(beginning: Beginning) -> Iterator[Any]:
    """Yield the elements of the array. Raises MalformedBody unless the text is cut where it ends."""
    text = JsonText(beginning.text)
    try:
        if text.take("{") and not _find_items(text):
            raise NotAcceptable(
                f"The file must be an array of items, or an object that has it as {_ITEMS!r}.",
                code="missing_parameter",
                param=_ITEMS,
            )
        if not text.take("[") or text.starts("]"):
            return
        while True:
            yield text.read()[0]
            if not text.take(","):
                return
    except (MalformedBody, ValueTooLong):
        if beginning.whole:
            raise


def _find_items(text: JsonText) -> bool:
    """Move to the array of items in an object."""
    while text.starts('"'):
        name = text.read()[0]
        if not text.take(":"):
            return False
        if name == _ITEMS and text.starts("["):
            return True
        text.skip()
        if not text.take(","):
            return False
    return False


def _as_object(item: Any, kind: ItemKind) -> Any:
    """Return a bare value, which names a contact, as an object."""
    if isinstance(item, dict | Unreadable):
        return item
    return {"phone" if kind is not CONTACT and kind is BY_PHONE else "id": item}


def _as_it_is(name: str, kind: ItemKind) -> Proposal:
    """Return what the api makes of a member of an item, whose name is not changed."""
    spellings = SPELLINGS if kind is CONTACT else REFERENCE_SPELLINGS
    field = next((field for field, names in spellings.items() if name in names), None)
    if field is None and name in ECHOES:
        field = name
    reason = Match.UNKNOWN if field is None else Match.EXACT
    return Proposal(field=field or "", reason=reason, by_name=field, key=name)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    with suppress(ValueError, RecursionError):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _shown(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
