"""What a command prints: tables for people, or JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from rich.console import Console

Document: TypeAlias = Mapping[str, Any]  # an object as the API returns it
Column: TypeAlias = str | Callable[[Document], object]  # the path of a field (`counts.failed`), or its value
Columns: TypeAlias = Mapping[str, Column]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, as the API returns it.")]
AsLines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line (NDJSON).")]
TIMES = ("_at", "At", "until", "eta")  # how the names of fields end that hold a time; `at` does, too
STATES = {"completed": "green", "completed_with_errors": "yellow", "failed": "red", "cancelled": "magenta"}
REORDERING = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


def show_list(documents: Iterable[Document], columns: Columns, *, as_json: bool) -> None:
    """Print documents as a table, or as one JSON document with all of them in `data`."""
    if as_json:
        print_json({"data": list(documents), "next_cursor": None})
        return
    rows = [[cell(document, column) for column in columns.values()] for document in documents]
    show_table([[name.upper() for name in columns], *rows], heading=True)


def show_one(document: Document, columns: Columns, *, as_json: bool) -> None:
    """Print a document, one field a line, or as JSON."""
    if as_json:
        print_json(document)
    else:
        show_table([[name, cell(document, column)] for name, column in columns.items()])


def show_table(rows: Sequence[Sequence[str]], *, heading: bool = False) -> None:
    """Print rows with aligned columns. No value is cut or wrapped, whatever the width of the terminal."""
    from rich.cells import cell_len
    from rich.text import Text

    console = output_console()
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = Text(style="bold" if heading and number == 0 else "")
        for text, width in zip(row, widths, strict=True):
            line.append(text, STATES.get(text, ""))
            line.append(" " * (width - cell_len(text) + 3))
        line.rstrip()
        console.print(line, soft_wrap=True)


def tell(message: str) -> None:
    """Print a line."""
    typer.echo(printable(message))


def print_json(value: Any) -> None:
    """Print one JSON document on a line."""
    typer.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def cell(document: Document, column: Column) -> str:
    """Return the text of a field for people."""
    if callable(column):
        return _text(column(document))
    value: Any = document
    for name in column.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, str) and (column == "at" or column.endswith(TIMES)):
        value = datetime.fromisoformat(value)
    return _text(value)


def printable(text: str) -> str:
    """Return a text that cannot command the terminal: a value may hold escape sequences."""
    return "".join(_escaped(character) if _commands(character) else character for character in text)


def output_console() -> "Console":
    """Return the console of stdout. It obeys NO_COLOR, and has no colours in a pipe."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False)


def _text(value: object) -> str:
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case list() if all(isinstance(inner, str) for inner in value):
            return printable(", ".join(value))
        case list() | dict():
            return printable(json.dumps(value, ensure_ascii=False))
        case _:
            return printable(str(value))


def _commands(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or character in REORDERING


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
