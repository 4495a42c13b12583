"""`bulklane accounts …`: the tenants and their limits."""

from typing import Annotated

import typer

from cli.database import fail, run, show_accounts
from schemas.items.phone import is_region
from storage.entities import accounts
from storage.entities.accounts import Account, AccountChange
from storage.postgres.pool import Conn

app = typer.Typer(no_args_is_help=True, help="The tenants: create, list, set.")

Name = Annotated[str, typer.Argument(help="The account's name.", show_default=False)]
Region = Annotated[
    str | None,
    typer.Option(help="Region of bare phone numbers (ISO 3166, like IN); '' for none.", show_default=False),
]
PhoneNumberId = Annotated[
    str | None, typer.Option(help="The account's own phone_number_id; '' for none.", show_default=False)
]
RequestLimit = Annotated[
    int | None, typer.Option(min=0, help="Bulk requests a window; 0: no limit.", show_default="30")
]
ItemLimit = Annotated[
    int | None, typer.Option(min=0, help="Items applied a window; 0: no limit.", show_default="30000")
]
WindowSeconds = Annotated[
    int | None, typer.Option(min=1, max=86_400, help="Length of both windows.", show_default="60")
]
DefaultWait = Annotated[
    int | None,
    typer.Option(min=0, max=60, help="Seconds to hold answers back for the job's end.", show_default="0"),
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
    """Create an account. It needs a key to be of use: `bulklane keys create NAME`."""
    change = _change(region, phone_number_id, request_limit, item_limit, window_seconds, default_wait)

    async def work(conn: Conn) -> Account:
        return await accounts.create(conn, name, change)

    show_accounts([run(work)])


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
    """Change an account; what is not given stays. Takes effect at once."""
    change = _change(region, phone_number_id, request_limit, item_limit, window_seconds, default_wait)

    async def work(conn: Conn) -> Account | None:
        return await accounts.update(conn, name, change)

    account = run(work)
    if account is None:
        raise fail(f"there is no account {name!r}: see `bulklane accounts list`")
    show_accounts([account])


@app.command("list")
def list_() -> None:
    """List all accounts."""
    show_accounts(run(accounts.list_all))


def _change(
    region: str | None,
    phone_number_id: str | None,
    request_limit: int | None,
    item_limit: int | None,
    window_seconds: int | None,
    default_wait: int | None,
) -> AccountChange:
    if region and not is_region(region.upper()):
        raise fail(f"{region!r} is not a region: write two letters of ISO 3166, like IN or US")
    return AccountChange(
        region=region.upper() if region is not None else None,
        phone_number_id=phone_number_id,
        request_limit=request_limit,
        item_limit=item_limit,
        window_seconds=window_seconds,
        default_wait=default_wait,
    )
