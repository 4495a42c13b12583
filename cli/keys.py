"""`bulklane keys …`: the API keys of an account."""

from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from cli.database import fail, run
from storage.entities import accounts
from storage.postgres.pool import Conn

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")

AccountName = Annotated[str, typer.Argument(help="The account's name.", show_default=False)]


@app.command()
def create(account: AccountName) -> None:
    """Create a key and print it. Only its hash is stored: it cannot be shown again."""

    async def work(conn: Conn) -> tuple[str, str] | None:
        found = await accounts.by_name(conn, account)
        return await accounts.create_key(conn, found.id) if found else None

    made = run(work)
    if made is None:
        raise _unknown(account)
    key_id, key = made
    typer.echo(key)
    typer.secho(f"{key_id}: keep the key, it cannot be shown again", err=True, dim=True)


@app.command("list")
def list_(account: AccountName) -> None:
    """List an account's keys by their ids."""

    async def work(conn: Conn) -> list[asyncpg.Record] | None:
        found = await accounts.by_name(conn, account)
        return await accounts.list_keys(conn, found.id) if found else None

    rows = run(work)
    if rows is None:
        raise _unknown(account)
    table = Table("id", "created", "revoked")
    for row in rows:
        revoked = row["revoked_at"]
        table.add_row(
            row["id"], f"{row['created_at']:%Y-%m-%d %H:%M}", f"{revoked:%Y-%m-%d %H:%M}" if revoked else "-"
        )
    Console().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as in `keys list`.", show_default=False)],
) -> None:
    """Revoke a key; takes effect at once."""

    async def work(conn: Conn) -> str | None:
        return await accounts.revoke_key(conn, key_id)

    name = run(work)
    if name is None:
        raise fail(f"there is no key {key_id!r} that could be revoked: see `bulklane keys list ACCOUNT`")
    typer.echo(f"revoked {key_id} of {name}")


def _unknown(account: str) -> typer.Exit:
    return fail(f"there is no account {account!r}: see `bulklane accounts list`")
