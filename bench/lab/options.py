"""The options that several benchmarks take."""

from typing import Annotated

import typer

Rows = Annotated[int, typer.Option(min=1000, help="Rows per measurement.")]
Jobs = Annotated[int, typer.Option(min=10, help="Small jobs per measurement.")]
Rounds = Annotated[int, typer.Option(min=1, help="Measurements of each; the table shows medians.")]
Workers = Annotated[int, typer.Option(min=1, help="Worker processes.")]
