"""Run a benchmark: `python -m bench …`, or `./run bench …`."""

import signal
import sys
from collections.abc import Callable
from inspect import Parameter, get_annotations, signature
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from bench import phone, smoke
from bench.lab.results import FOLDER, Results
from bench.loads import (
    duplicates,
    large,
    load,
    memory,
    operations,
    peers,
    scale,
    stages,
    telemetry,
    undo,
    undone,
)
from bench.queries import claims, page, pages
from bench.series import SERIES
from bench.series import run as run_series
from bench.traffic import fair, idle, jobs, latency, queue, streams

BENCHES = (
    *(load, operations, duplicates, large, memory, scale, peers, stages, telemetry, undo, undone),
    *(latency, jobs, queue, fair, idle, streams),
    *(claims, page, pages),
    *(phone, smoke),
)
Folder = Annotated[
    Path, typer.Option("--results", help="Folder of the JSON file.", show_default="bench/results")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a value is below `at least`.")]

app = typer.Typer(no_args_is_help=True, help=__doc__)


def command_of(name: str, measure: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of `measure`. It prints the results and writes them to a file."""

    def command(*, folder: Path, strict: bool, **options: Any) -> None:
        results = Results(name=name, folder=folder, options=dict(options))
        measure(results, **options)
        if not results.end() and strict:
            raise typer.Exit(1)

    options = [option for option in signature(measure).parameters.values() if option.name != "results"]
    options.append(Parameter("folder", Parameter.KEYWORD_ONLY, default=FOLDER, annotation=Folder))
    options.append(Parameter("strict", Parameter.KEYWORD_ONLY, default=False, annotation=Strict))
    command.__doc__ = measure.__doc__
    command.__annotations__ = get_annotations(measure) | {"folder": Folder, "strict": Strict}
    command.__signature__ = signature(measure).replace(parameters=options)  # type: ignore[attr-defined]
    return command


def name_of(module: ModuleType) -> str:
    """Return the name of a benchmark."""
    return module.__name__.rpartition(".")[2]


for bench in BENCHES:
    app.command(name_of(bench))(command_of(name_of(bench), bench.measure))


@app.command("all")
def run_all(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks to run.", show_default="all")] = None,
    folder: Folder = FOLDER,
    *,
    tiny: Annotated[bool, typer.Option("--tiny", help="Only show that all run; needs --results.")] = False,
) -> None:
    """Run all benchmarks at the sizes of the page, about half an hour on two cores, then `report`."""
    if unknown := set(names or ()) - SERIES.keys():
        raise typer.BadParameter(f"no benchmark has the name {min(unknown)}: use {', '.join(SERIES)}")
    if tiny and folder == FOLDER:
        raise typer.BadParameter("tiny results mean nothing: use --results with another folder")
    failures = run_series(names or [], folder, tiny=tiny)
    if folder == FOLDER:
        report()
    for failure in failures:
        print(f"{failure}: its results are those of an earlier run", file=sys.stderr)
    if failures:
        raise typer.Exit(1)


@app.command()
def report() -> None:
    """Write the figures of bench/results into README.md and docs/performance.md, and draw the plots."""
    from bench.report import report as write

    write()


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit("terminated")
    )  # so that the service is stopped and removed
    app()
