"""`bulklane keys …`: the API keys of an account."""

from typing import TYPE_CHECKING, Annotated

import typer

from bulklane.command.operator.account_fields import (
    GRACE_HOURS,
    KEEP_KEY,
    KEY_COLUMNS,
    AccountName,
    Days,
    Grace,
    KeyName,
    Scopes,
    end_after,
)
from bulklane.command.output import AsJson, Document, print_json, show_list
from bulklane.command.reporting import say
from cli.database import fail, run, unknown_account

if TYPE_CHECKING:
    from storage.access.api_keys import KeyRow
    from storage.entities.accounts import Account
    from storage.postgres.pool import Conn

NamedKey = Annotated[str, typer.Argument(help="The key's id or name, as in `keys list`.", show_default=False)]
OfAccount = Annotated[
    str | None,
    typer.Option("--account", help="The account's name; needed if keys of several accounts have this name."),
]
app = typer.Typer(no_args_is_help=True, help="API keys: create, list, rotate, revoke.")


@app.command()
def create(
    account: AccountName,
    *,
    name: KeyName = None,
    scope: Scopes = None,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. Only its hash is stored, so it cannot be shown again."""
    from schemas.callers import ALL_SCOPES, Scope
    from storage.access import api_keys
    from storage.entities import accounts

    scopes = [Scope(one) for one in scope] if scope else ALL_SCOPES

    async def work(conn: "Conn") -> "tuple[KeyRow, str] | None":
        owner = await accounts.by_name(conn, account)
        if owner is None:
            return None
        return await api_keys.add_key(conn, owner.id, name or None, scopes=scopes, expires_at=end_after(days))

    created = run(work)
    if created is None:
        raise unknown_account(account)
    _show_new(*created, as_json=as_json)


@app.command("list")
def list_(account: AccountName, *, as_json: AsJson = False) -> None:
    """List an account's keys by their ids and names."""
    from api.http.views.key_view import key_view
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
def rotate(
    key: NamedKey, *, account: OfAccount = None, grace: Grace = GRACE_HOURS, as_json: AsJson = False
) -> None:
    """Replace a key by a new one, and print that. The old one works until the grace is over."""
    from storage.access import api_keys

    async def work(conn: "Conn") -> "tuple[list[Account], KeyRow | None, tuple[KeyRow, str] | None]":
        owners = await _owners(conn, key, account)
        if len(owners) != 1:
            return owners, None, None
        old = await api_keys.find_key(conn, owners[0].id, key)
        if old is None:
            return owners, None, None
        return owners, old, await api_keys.rotate_key(conn, owners[0].id, old.id, grace_seconds=grace * 3600)

    owners, old, made = run(work)
    _check_one(owners, key)
    if made is None:
        after = f"; it was replaced by {old.replaced_by}" if old and old.replaced_by else ""
        raise fail(f"no key {key!r} can be rotated{after}: see `bulklane keys list ACCOUNT`")
    _show_new(*made, as_json=as_json)


@app.command()
def revoke(
    key: NamedKey,
    *,
    account: OfAccount = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Takes effect at once."""
    from api.http.views.key_view import key_view
    from storage.access import api_keys

    async def work(conn: "Conn") -> "tuple[list[Account], KeyRow | None]":
        owners = await _owners(conn, key, account)
        row = await api_keys.revoke_key(conn, owners[0].id, key) if len(owners) == 1 else None
        return owners, row

    owners, row = run(work)
    _check_one(owners, key)
    if row is None:
        raise fail(f"no key {key!r} can be revoked: see `bulklane keys list ACCOUNT`")
    if as_json:
        print_json(key_view(row).model_dump(mode="json"))
    else:
        typer.echo(f"revoked {row.id} of {owners[0].name}")


async def _owners(conn: "Conn", key: str, account: str | None) -> "list[Account]":
    """Return the accounts that have a key with this id or name; of one name, that account only."""
    from storage.access import api_keys

    owners = await api_keys.owners_of_key(conn, key)
    return [owner for owner in owners if account is None or owner.name == account]


def _check_one(owners: "list[Account]", key: str) -> None:
    """Raise typer.Exit if several accounts have this key."""
    if len(owners) > 1:
        names = ", ".join(owner.name for owner in owners[:5])
        raise fail(f"several accounts have a key {key!r} ({names}): add --account NAME")


def _show_new(row: "KeyRow", key: str, *, as_json: bool) -> None:
    """Print a new key."""
    from api.http.views.key_view import key_view
    from schemas.wire.security.key_bodies import CreatedKey

    if as_json:
        print_json(CreatedKey(**key_view(row).model_dump(), key=key).model_dump(mode="json"))
        return
    typer.echo(key)
    say(f"{row.id}: {KEEP_KEY}", style="dim")
