"""What the commands that delete an account have in common: their options, and the question."""

import sys
from typing import Annotated

import typer

from bulklane.command.reporting import fail

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the name again.")]


def ask_for_name(name: str, *, yes: bool) -> None:
    """Ask for the name of the account that is to be deleted. Ends the command if it is another one."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise fail(f"{name} is not deleted: there is no terminal to ask at, add --yes")
    typer.echo(
        f"This deletes the account {name} with its contacts, jobs, lists and keys, for good.", err=True
    )
    if typer.prompt("Type the name of the account to delete it", err=True) != name:
        raise fail(f"{name} is not deleted: this is another name")
