"""The commands of the machine that runs Bulklane: one module per command or group of commands.

They join the command `bulklane`, which belongs to the client. Slow imports (the database, the servers) are
inside functions, so that `bulklane --help` and `--version` are fast.
"""

import typer

from cli import accounts, keys, migrate, search_index, serve, workers

PANEL = "On the machine of the service"


def join(app: typer.Typer) -> None:
    """Add the commands to an app."""
    app.command("serve", rich_help_panel=PANEL)(serve.serve)
    app.command("migrate", rich_help_panel=PANEL)(migrate.migrate)
    app.add_typer(accounts.app, name="accounts", rich_help_panel=PANEL)
    app.add_typer(keys.app, name="keys", rich_help_panel=PANEL)
    app.add_typer(workers.app, name="workers", rich_help_panel=PANEL)
    app.add_typer(search_index.app, name="search-index", rich_help_panel=PANEL)
