"""`bulklane accounts delete`: an account and all that it owns."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from bulklane.command.operator.account_fields import AccountName
from bulklane.command.operator.deletion import Yes, ask_for_name
from bulklane.command.output import AsJson, print_json, show_list
from bulklane.command.reporting import say
from cli.database import run, unknown_account

if TYPE_CHECKING:
    from storage.entities.accounts import Account
    from storage.postgres.pool import Conn

SECONDS = 2.0  # between two lines that show how far it is
PAUSE_SECONDS = 0.2  # while a worker deletes a batch, or rows are locked

DryRun = Annotated[bool, typer.Option("--dry-run", help="Count what would be deleted, and delete nothing.")]


def delete(
    account: AccountName, *, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Delete an account with all that it owns. Its keys are refused at once.

    After Ctrl-C, the workers delete the rest.
    """
    found = find(account)
    if dry_run:
        _show_rows(run(lambda conn: _count(conn, found)), as_json=as_json)
        return
    ask_for_name(account, yes=yes)
    rows: Counter[str] = Counter()
    run(lambda conn: _delete(conn, found, rows))
    if as_json:
        print_json({"name": account, "rows": dict(rows)})
    else:
        typer.echo(f"deleted {account}")


def find(name: str) -> "Account":
    """Return the account with a name. Ends the command if there is none."""
    from storage.entities import accounts

    account = run(lambda conn: accounts.by_name(conn, name))
    if account is None:
        raise unknown_account(name)
    return account


async def _count(conn: "Conn", account: "Account") -> dict[str, int]:
    from storage.deletion import account_deletion

    return await account_deletion.count_rows(conn, account.id)


async def _delete(conn: "Conn", account: "Account", rows: Counter[str]) -> None:
    """Mark the account, and delete its rows beside the workers, until it is gone."""
    from storage.deletion import account_deletion

    def report(table: str, count: int) -> None:
        rows[table] += count

    await account_deletion.begin(conn, account.id)
    while not await account_deletion.go_on(conn, account.id, SECONDS, report):
        say(f"{rows.total():,} rows are deleted", style="dim")
        await asyncio.sleep(PAUSE_SECONDS)


def _show_rows(rows: dict[str, int], *, as_json: bool) -> None:
    documents = [{"table": table, "rows": count} for table, count in rows.items()]
    show_list(documents, {"table": "table", "rows": "rows"}, as_json=as_json)
