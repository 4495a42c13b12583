"""`bulklane serve`: the whole service on this machine."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_WORKERS = 2


def serve(
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Submit examples/contacts.csv once ready.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = DEFAULT_WORKERS,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the parts' logs.")] = False,
    procfile: Annotated[Path | None, typer.Option(help="Another Procfile.", dir_okay=False)] = None,
) -> None:
    """Start the servers, migrate, start the api and the workers, and restart what dies, until Ctrl-C."""
    from rich.console import Console  # imported here: other commands need none of it

    from embedded.servers import EmbeddedError
    from embedded.supervisor.errors import SupervisorError
    from embedded.supervisor.options import Options
    from embedded.supervisor.supervisor import Supervisor
    from schemas.settings import get_settings

    options = Options.of(get_settings(), workers=workers, sample=sample, verbose=verbose, procfile=procfile)
    try:
        asyncio.run(Supervisor(options, Console(highlight=False)).run())
    except (SupervisorError, EmbeddedError) as error:
        typer.secho(f"bulklane: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
