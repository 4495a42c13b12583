"""`bulklane serve`: the whole service on this machine."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.database import fail, read_settings

DEFAULT_WORKERS = 2


def serve(
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="Submit examples/contacts.csv after the start.")
    ] = False,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo",
            help="Make a demo account and its key. Default: not in your own database (DATABASE_URL).",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = DEFAULT_WORKERS,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print the logs of all processes.")] = False,
    procfile: Annotated[Path | None, typer.Option(help="The Procfile to use.", dir_okay=False)] = None,
) -> None:
    """Start the servers, migrate, run the api and the workers, restart processes that end, until Ctrl-C."""
    from rich.console import Console

    from embedded.servers import EmbeddedError
    from embedded.supervisor.options import Options, SupervisorError
    from embedded.supervisor.supervisor import Supervisor
    from schemas.settings import WRONG_SETTINGS_STATUS, SettingsError

    options = Options.of(
        read_settings(), workers=workers, demo=demo, sample=sample, verbose=verbose, procfile=procfile
    )
    try:
        asyncio.run(Supervisor(options, Console(highlight=False)).run())
    except (SupervisorError, EmbeddedError) as error:
        raise fail(str(error)) from error
    except SettingsError as error:
        raise fail(str(error), status=WRONG_SETTINGS_STATUS) from error
