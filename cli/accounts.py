"""`bulklane accounts …`: the tenants and their limits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import fail, run

if TYPE_CHECKING:
    from storage.entities.accounts import Account, AccountChange

app = typer.Typer(no_args_is_help=True, help="The tenants: create, list, set.")

Name = Annotated[str, typer.Argument(help="The account's name.", show_default=False)]
Region = Annotated[
    str | None,
    typer.Option(
        help="Region of phone numbers without a prefix (ISO 3166, e.g. IN); '' for none.", show_default=False
    ),
]
PhoneNumberId = Annotated[
    str | None, typer.Option(help="The account's own phone_number_id; '' for none.", show_default=False)
]
RequestLimit = Annotated[
    int | None, typer.Option(min=0, help="Bulk requests per window; 0: no limit.", show_default="30")
]
ItemLimit = Annotated[
    int | None, typer.Option(min=0, help="Items applied per window; 0: no limit.", show_default="30000")
]
WindowSeconds = Annotated[
    int | None, typer.Option(min=1, max=86_400, help="Length of both windows in seconds.", show_default="60")
]
DefaultWait = Annotated[
    int | None,
    typer.Option(
        min=0, max=60, help="Default seconds that a bulk request waits for its job.", show_default="0"
    ),
]


@app.command()
def create(
    name: Name,
    *,
    region: Region = None,
    phone_number_id: PhoneNumberId = None,
    request_limit: RequestLimit = None,
    item_limit: ItemLimit = None,
    window_seconds: WindowSeconds = None,
    default_wait: DefaultWait = None,
) -> None:
    """Create an account. Next, create a key for it: `bulklane keys create NAME`."""
    from storage.entities import accounts

    change = _change(region, phone_number_id, request_limit, item_limit, window_seconds, default_wait)
    _show([run(lambda conn: accounts.create(conn, name, change))])


@app.command("set")
def set_(
    name: Name,
    *,
    region: Region = None,
    phone_number_id: PhoneNumberId = None,
    request_limit: RequestLimit = None,
    item_limit: ItemLimit = None,
    window_seconds: WindowSeconds = None,
    default_wait: DefaultWait = None,
) -> None:
    """Change an account. Options that are not given do not change. Takes effect at once."""
    from storage.entities import accounts

    change = _change(region, phone_number_id, request_limit, item_limit, window_seconds, default_wait)
    account = run(lambda conn: accounts.update(conn, name, change))
    if account is None:
        raise fail(f"there is no account {name!r}: see `bulklane accounts list`")
    _show([account])


@app.command("list")
def list_() -> None:
    """List all accounts."""
    from storage.entities import accounts

    _show(run(accounts.list_all))


def _change(
    region: str | None,
    phone_number_id: str | None,
    request_limit: int | None,
    item_limit: int | None,
    window_seconds: int | None,
    default_wait: int | None,
) -> "AccountChange":
    from schemas.items.phone import is_region
    from storage.entities.accounts import AccountChange

    if region and not is_region(region.upper()):
        raise fail(f"{region!r} is not a region: use two letters of ISO 3166, such as IN or US")
    return AccountChange(
        region=region.upper() if region is not None else None,
        phone_number_id=phone_number_id,
        request_limit=request_limit,
        item_limit=item_limit,
        window_seconds=window_seconds,
        default_wait=default_wait,
    )


def _show(accounts: Sequence["Account"]) -> None:
    """Print accounts as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "region", "phone_number_id", "requests", "items", "window", "default wait")
    for account in accounts:
        table.add_row(
            account.name,
            account.region or "-",
            account.phone_number_id or "-",
            str(account.request_limit or "no limit"),
            str(account.item_limit or "no limit"),
            f"{account.window_seconds} s",
            f"{account.default_wait} s",
        )
    Console().print(table)
