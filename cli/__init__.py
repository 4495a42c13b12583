"""The command line, `bulklane …`: one module per command or group of commands.

Slow imports (the database, the servers) are inside functions, so that `bulklane --help` and `--version` are
fast.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from cli import accounts, jobs, keys, migrate, search_index, serve, workers

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command("serve")(serve.serve)
app.command("migrate")(migrate.migrate)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(jobs.app, name="jobs")
app.add_typer(workers.app, name="workers")
app.add_typer(search_index.app, name="search-index")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bulklane {version('bulklane')}")
        raise typer.Exit


@app.callback()
def bulklane(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Run Bulklane, and manage its database, accounts and keys."""
