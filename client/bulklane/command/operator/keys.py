"""`bulklane operator keys …`: the API keys of an account."""

from typing import Annotated

import typer

from bulklane.command.operator.account_fields import KEEP_KEY, KEY_COLUMNS, AccountName
from bulklane.command.operator.api import OperatorApi, administered
from bulklane.command.output import AsJson, print_json, show_list, tell
from bulklane.command.reporting import say

app = typer.Typer(no_args_is_help=True, help="The API keys of an account: list, create, revoke.")


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
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. Only its hash is stored, so it cannot be shown again."""
    created = api.send("POST", "accounts", account, "keys", body={"name": name})
    if as_json:
        print_json(created)
        return
    tell(created["key"])
    say(f"{created['id']}: {KEEP_KEY}", style="dim")


@app.command(no_args_is_help=True)
@administered
def revoke(
    api: OperatorApi,
    account: AccountName,
    named: Annotated[str, typer.Argument(metavar="KEY", help="The key's id or name.", show_default=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Takes effect at once."""
    revoked = api.send("POST", "accounts", account, "keys", named, "revoke", repeatable=True)
    if as_json:
        print_json(revoked)
    else:
        tell(f"revoked {revoked['id']} of {account}")
