"""`bulklane own-keys …`: the API keys of the account of the key.

`bulklane keys` is a command of the machine, which names any account and needs the database.
"""

from typing import Annotated, Any, cast

import typer

from bulklane._sync.client import Bulklane
from bulklane.command.connection import connected
from bulklane.command.operator.account_fields import (
    GRACE_HOURS,
    KEEP_KEY,
    KEY_COLUMNS,
    Grace,
    KeyArgument,
    KeyScope,
    end_after,
)
from bulklane.command.output import AsJson, print_json, show_list, tell
from bulklane.command.reporting import say
from bulklane.decode import document
from bulklane.models import NewKey

app = typer.Typer(
    no_args_is_help=True,
    help="The keys of the account: list, create, rotate, revoke. Needs a key with the scope admin.",
)

OwnScopes = Annotated[
    list[KeyScope] | None,
    typer.Option(
        "--scope",
        help="What the key may do; can be repeated.",
        show_default="the scopes of the key that is used",
    ),
]
OwnDays = Annotated[
    int | None,
    typer.Option(
        "--days",
        min=1,
        max=36_500,
        help="Days until the key expires.",
        show_default="the end of the key that is used",
    ),
]


@app.command("list")
@connected()
def list_(client: Bulklane, *, as_json: AsJson = False) -> None:
    """List the keys of the account by their ids and names."""
    show_list([document(key) for key in client.keys.list()], KEY_COLUMNS, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def create(
    client: Bulklane,
    *,
    name: Annotated[
        str, typer.Option(help="A name that no other live key of the account has.", show_default=False)
    ],
    scope: OwnScopes = None,
    days: OwnDays = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. Only its hash is stored, so it cannot be shown again."""
    made = client.keys.create(name, scopes=cast("Any", scope or None), expires_at=end_after(days))
    _show(made, as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def rotate(
    client: Bulklane, named: KeyArgument, *, grace: Grace = GRACE_HOURS, as_json: AsJson = False
) -> None:
    """Replace a key by a new one, and print that. The old one works until the grace is over."""
    _show(client.keys.rotate(named, grace_seconds=round(grace * 3600)), as_json=as_json)


@app.command(no_args_is_help=True)
@connected()
def revoke(client: Bulklane, named: KeyArgument, *, as_json: AsJson = False) -> None:
    """Revoke a key, at once. The key that is used cannot revoke itself."""
    revoked = client.keys.revoke(named)
    if as_json:
        print_json(document(revoked))
    else:
        tell(f"revoked {revoked.id}")


def _show(made: NewKey, *, as_json: bool) -> None:
    """Print a new key."""
    if as_json:
        print_json(document(made))
        return
    tell(made.key)
    say(f"{made.id}: {KEEP_KEY}", style="dim")
