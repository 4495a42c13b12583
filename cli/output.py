"""What a command prints: tables for people, or one JSON document for programs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from schemas.wire.base import Wire

View = TypeVar("View", bound="Wire")

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, as the operator's API returns it.")
]


def show_list(
    views: Sequence[View], columns: Mapping[str, Callable[[View], object]], *, as_json: bool
) -> None:
    """Print views as a table, or as one JSON document with all of them in `data`."""
    if as_json:
        data = ",".join(view.model_dump_json() for view in views)
        typer.echo(f'{{"data":[{data}],"next_cursor":null}}')
        return
    rows = [[_text(column(view)) for column in columns.values()] for view in views]
    show_table([[name.upper() for name in columns], *rows])


def show_one(view: View, columns: Mapping[str, Callable[[View], object]], *, as_json: bool) -> None:
    """Print a view, one field a line, or as one JSON document."""
    if as_json:
        typer.echo(view.model_dump_json())
    else:
        show_table([[name, _text(column(view))] for name, column in columns.items()])


def show_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows with aligned columns. No value is cut or wrapped, whatever the width of the terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("   ".join(cells).rstrip())


def _text(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case _:
            return str(value)
