"""`bulklane keys …`: the API keys of an account."""

from typing import TYPE_CHECKING, Annotated

import typer

from bulklane.command.operator.account_fields import KEEP_KEY, KEY_COLUMNS, AccountName, KeyName
from bulklane.command.output import AsJson, Document, print_json, show_list
from bulklane.command.reporting import say
from cli.database import fail, run, unknown_account

if TYPE_CHECKING:
    from storage.access.api_keys import KeyRow
    from storage.entities.accounts import Account
    from storage.postgres.pool import Conn

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")


@app.command()
def create(
    account: AccountName,
    *,
    name: KeyName = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. Only its hash is stored, so it cannot be shown again."""
    from api.http.operator_view import key_view
    from schemas.wire.security.key_bodies import CreatedKey
    from storage.access import api_keys
    from storage.entities import accounts

    async def work(conn: "Conn") -> "tuple[KeyRow, str] | None":
        owner = await accounts.by_name(conn, account)
        return await api_keys.add_key(conn, owner.id, name or None) if owner else None

    created = run(work)
    if created is None:
        raise unknown_account(account)
    row, key = created
    if as_json:
        print_json(CreatedKey(**key_view(row).model_dump(), key=key).model_dump(mode="json"))
        return
    typer.echo(key)
    say(f"{row.id}: {KEEP_KEY}", style="dim")


@app.command("list")
def list_(account: AccountName, *, as_json: AsJson = False) -> None:
    """List an account's keys by their ids and names."""
    from api.http.operator_view import key_view
    from storage.access import api_keys
    from storage.entities import accounts

    async def work(conn: "Conn") -> list[Document] | None:
        owner = await accounts.by_name(conn, account)
        rows = await api_keys.list_keys(conn, owner.id) if owner else None
        return None if rows is None else [key_view(row).model_dump(mode="json") for row in rows]

    keys = run(work)
    if keys is None:
        raise unknown_account(account)
    show_list(keys, KEY_COLUMNS, as_json=as_json)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id or name, as in `keys list`.", show_default=False)],
    *,
    account: Annotated[
        str | None,
        typer.Option(help="The account's name; needed if keys of several accounts have this name."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Takes effect at once."""
    from api.http.operator_view import key_view
    from storage.access import api_keys

    async def work(conn: "Conn") -> "tuple[list[Account], KeyRow | None]":
        owners = [
            owner
            for owner in await api_keys.owners_of_key(conn, key)
            if account is None or owner.name == account
        ]
        row = await api_keys.revoke_key(conn, owners[0].id, key) if len(owners) == 1 else None
        return owners, row

    owners, row = run(work)
    if len(owners) > 1:
        names = ", ".join(owner.name for owner in owners[:5])
        raise fail(f"several accounts have a key {key!r} ({names}): add --account NAME")
    if row is None:
        raise fail(f"no key {key!r} can be revoked: see `bulklane keys list ACCOUNT`")
    if as_json:
        print_json(key_view(row).model_dump(mode="json"))
    else:
        typer.echo(f"revoked {row.id} of {owners[0].name}")
