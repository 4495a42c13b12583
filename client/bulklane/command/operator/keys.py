"""`bulklane operator keys …`: the API keys of an account."""

from typing import Annotated

import typer

from bulklane.command.operator.account_fields import (
    GRACE_HOURS,
    KEEP_KEY,
    KEY_COLUMNS,
    AccountName,
    Days,
    Grace,
    KeyArgument,
    Scopes,
    end_after,
)
from bulklane.command.operator.api import OperatorApi, administered
from bulklane.command.output import AsJson, Document, print_json, show_list, tell
from bulklane.command.reporting import say

app = typer.Typer(no_args_is_help=True, help="The API keys of an account: list, create, rotate, revoke.")


@app.command("list", no_args_is_help=True)
@administered
def list_(api: OperatorApi, account: AccountName, *, as_json: AsJson = False) -> None:
    """List an account's keys by their ids and names."""
    show_list(api.get("accounts", account, "keys")["data"], KEY_COLUMNS, as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def create(
    api: OperatorApi,
    account: AccountName,
    *,
    name: Annotated[
        str, typer.Option(help="A name that no other live key of the account has.", show_default=False)
    ],
    scope: Scopes = None,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. Only its hash is stored, so it cannot be shown again."""
    end = end_after(days)
    given = {"scopes": scope or None, "expires_at": end.isoformat() if end else None}
    body = {"name": name, **{field: value for field, value in given.items() if value}}
    _show(api.send("POST", "accounts", account, "keys", body=body), as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def rotate(
    api: OperatorApi,
    account: AccountName,
    named: KeyArgument,
    *,
    grace: Grace = GRACE_HOURS,
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one, and print that. The old one works until the grace is over."""
    body = {"grace_seconds": round(grace * 3600)}
    _show(api.send("POST", "accounts", account, "keys", named, "rotate", body=body), as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def revoke(
    api: OperatorApi,
    account: AccountName,
    named: KeyArgument,
    *,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Takes effect at once."""
    revoked = api.send("POST", "accounts", account, "keys", named, "revoke", repeatable=True)
    if as_json:
        print_json(revoked)
    else:
        tell(f"revoked {revoked['id']} of {account}")


def _show(made: Document, *, as_json: bool) -> None:
    """Print a new key."""
    if as_json:
        print_json(made)
        return
    tell(made["key"])
    say(f"{made['id']}: {KEEP_KEY}", style="dim")
