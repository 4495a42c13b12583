"""The command line: `bulklane …`."""

import typer

from cli import accounts, keys, migrate, serve

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.command("serve")(serve.serve)
app.command("migrate")(migrate.migrate)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
