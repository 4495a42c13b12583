"""`bulklane accounts …`: the tenants and their limits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from bulklane.command.operator.account_fields import (
    ACCOUNT_COLUMNS,
    AccountName,
    DefaultWait,
    ItemLimit,
    KeepJobsDays,
    PhoneNumberId,
    Region,
    RequestLimit,
    Search,
    WindowSeconds,
)
from bulklane.command.output import AsJson, Document, print_json, show_list
from cli.database import fail, run, unknown_account
from cli.delete_account import delete

if TYPE_CHECKING:
    from schemas.ids import AccountId
    from storage.entities.accounts import AccountChange
    from storage.postgres.pool import Conn

PAGE = 100  # accounts that are read at once
LONGEST_NAME = 200

app = typer.Typer(no_args_is_help=True, help="The tenants: create, list, set, delete.")
app.command(no_args_is_help=True)(delete)


@app.command()
def create(
    name: AccountName,
    *,
    region: Region = None,
    phone_number_id: PhoneNumberId = None,
    request_limit: RequestLimit = None,
    item_limit: ItemLimit = None,
    window_seconds: WindowSeconds = None,
    default_wait: DefaultWait = None,
    keep_jobs_days: KeepJobsDays = None,
    as_json: AsJson = False,
) -> None:
    """Create an account. Next, create a key for it: `bulklane keys create NAME`."""
    from storage.entities import accounts

    if not 1 <= len(name) <= LONGEST_NAME:
        raise fail(f"the name has {len(name)} characters: use 1 to {LONGEST_NAME}")
    change = _change(
        region, phone_number_id, request_limit, item_limit, window_seconds, default_wait, keep_jobs_days
    )
    run(lambda conn: accounts.create(conn, name, change))
    _show(name, as_json=as_json)


@app.command("set")
def set_(
    name: AccountName,
    *,
    region: Region = None,
    phone_number_id: PhoneNumberId = None,
    request_limit: RequestLimit = None,
    item_limit: ItemLimit = None,
    window_seconds: WindowSeconds = None,
    default_wait: DefaultWait = None,
    keep_jobs_days: KeepJobsDays = None,
    as_json: AsJson = False,
) -> None:
    """Change an account. Options that are not given do not change. Takes effect at once."""
    from storage.entities import accounts

    change = _change(
        region, phone_number_id, request_limit, item_limit, window_seconds, default_wait, keep_jobs_days
    )
    account = run(lambda conn: accounts.update(conn, name, change))
    if account is None:
        raise unknown_account(name)
    _show(name, as_json=as_json)


@app.command("list")
def list_(
    *,
    search: Search = "",
    as_json: AsJson = False,
) -> None:
    """List all accounts with their limits and what waits for them, in the order of their names."""
    from storage.operator import account_loads

    async def work(conn: "Conn") -> list[Document]:
        found: list[Document] = []
        page = await account_loads.page(conn, prefix=search, size=PAGE)
        while page:
            found += await _documents(conn, page)
            page = await account_loads.page(conn, prefix=search, after=page[-1], size=PAGE)
        return found

    show_list(run(work), ACCOUNT_COLUMNS, as_json=as_json)


def _change(
    region: str | None,
    phone_number_id: str | None,
    request_limit: int | None,
    item_limit: int | None,
    window_seconds: int | None,
    default_wait: int | None,
    keep_jobs_days: int | None,
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
        keep_jobs_days=keep_jobs_days,
    )


def _show(name: str, *, as_json: bool) -> None:
    """Print one account."""
    from storage.entities import accounts

    async def work(conn: "Conn") -> list[Document]:
        account = await accounts.by_name(conn, name)
        return await _documents(conn, [account.id] if account else [])

    documents = run(work)
    if as_json:
        print_json(documents[0])
    else:
        show_list(documents, ACCOUNT_COLUMNS, as_json=False)


async def _documents(conn: "Conn", account_ids: "Sequence[AccountId]") -> list[Document]:
    from api.http.operator_view import operator_account_view
    from storage.operator import account_loads

    return [
        operator_account_view(row).model_dump(mode="json")
        for row in await account_loads.loads(conn, account_ids)
    ]
