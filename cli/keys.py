"""`bulklane keys …`: the API keys of an account."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import fail, run

if TYPE_CHECKING:
    from storage.entities.accounts import KeyRow
    from storage.postgres.pool import Conn

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")

AccountName = Annotated[str, typer.Argument(help="The account's name.", show_default=False)]


@app.command()
def create(account: AccountName) -> None:
    """Create a key and print it. Only its hash is stored, so it cannot be shown again."""
    from storage.entities import accounts

    async def work(conn: "Conn") -> tuple[str, str] | None:
        owner = await accounts.by_name(conn, account)
        return await accounts.create_key(conn, owner.id) if owner else None

    created = run(work)
    if created is None:
        raise _unknown(account)
    key_id, key = created
    typer.echo(key)
    typer.secho(f"{key_id}: keep the key, it cannot be shown again", err=True, dim=True)


@app.command("list")
def list_(account: AccountName) -> None:
    """List an account's keys by their ids."""
    from rich.console import Console
    from rich.table import Table

    from storage.entities import accounts

    async def work(conn: "Conn") -> "list[KeyRow] | None":
        owner = await accounts.by_name(conn, account)
        return await accounts.list_keys(conn, owner.id) if owner else None

    keys = run(work)
    if keys is None:
        raise _unknown(account)
    table = Table("id", "created", "revoked")
    for key in keys:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "-"
        table.add_row(key.id, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as in `keys list`.", show_default=False)],
) -> None:
    """Revoke a key. Takes effect at once."""
    from storage.entities import accounts

    name = run(lambda conn: accounts.revoke_key(conn, key_id))
    if name is None:
        raise fail(f"no key {key_id!r} can be revoked: see `bulklane keys list ACCOUNT`")
    typer.echo(f"revoked {key_id} of {name}")


def _unknown(account: str) -> typer.Exit:
    return fail(f"there is no account {account!r}: see `bulklane accounts list`")
