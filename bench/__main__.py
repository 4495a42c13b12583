"""Run a benchmark: `python -m bench …`, or `./run bench …`."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def load(
    *,
    rows: Annotated[int, typer.Option(min=1000, help="Rows per measurement.")] = 200_000,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements per case.")] = 3,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
) -> None:
    """Measure rows per second of the whole service and of plain COPY + ON CONFLICT, and their ratio."""
    from bench.load import measure

    measure(rows=rows, rounds=rounds, workers=workers)


@app.command()
def phone(
    *,
    numbers: Annotated[int, typer.Option(min=1, help="Number of generated numbers to compare.")] = 2_000_000,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the numbers, to repeat a run.", show_default="random")
    ] = None,
) -> None:
    """Compare the phone normaliser with phonenumbers: agreement and speed."""
    from bench.phone import measure

    raise typer.Exit(0 if measure(count=numbers, seed=seed) else 1)


if __name__ == "__main__":
    app()
