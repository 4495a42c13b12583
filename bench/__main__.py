"""`python -m bench …`, or `./run bench …`."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def load(
    *,
    rows: Annotated[int, typer.Option(min=1000, help="Rows of each measurement.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often to measure each case.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
) -> None:
    """Rows a second through the whole service, beside plain COPY + ON CONFLICT, and the ratio."""
    from bench.load import measure

    measure(rows=rows, rounds=rounds, workers=workers)


@app.command()
def phone(
    *,
    numbers: Annotated[int, typer.Option(min=1, help="Generated numbers to compare.")] = 2_000_000,
    seed: Annotated[int | None, typer.Option(help="Repeat a run.", show_default="random")] = None,
) -> None:
    """The phone normaliser beside phonenumbers: do they agree, and how much faster is it?"""
    from bench.phone import measure

    raise typer.Exit(0 if measure(count=numbers, seed=seed) else 1)


if __name__ == "__main__":
    app()
