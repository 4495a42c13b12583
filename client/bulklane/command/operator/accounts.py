"""`bulklane operator accounts …`: all accounts and their limits."""

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
from bulklane.command.operator.api import OperatorApi, administered
from bulklane.command.operator.deletion import Yes, ask_for_name
from bulklane.command.output import AsJson, print_json, show_list, tell

app = typer.Typer(no_args_is_help=True, help="All accounts: list, show, create, set, delete.")


@app.command("list")
@administered
def list_(api: OperatorApi, *, search: Search = "", as_json: AsJson = False) -> None:
    """List all accounts with their limits and what waits for them, in the order of their names."""
    show_list(list(api.list("accounts", search=search)), ACCOUNT_COLUMNS, as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def show(api: OperatorApi, account: AccountName, *, as_json: AsJson = False) -> None:
    """Show an account."""
    _show(api.get("accounts", account), as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def create(
    api: OperatorApi,
    account: AccountName,
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
    """Create an account. Next, create a key for it: `bulklane operator keys create ACCOUNT`."""
    settings = _given(
        region, phone_number_id, request_limit, item_limit, window_seconds, default_wait, keep_jobs_days
    )
    _show(api.send("POST", "accounts", body={"name": account, **settings}), as_json=as_json)


@app.command("set", no_args_is_help=True)
@administered
def set_(
    api: OperatorApi,
    account: AccountName,
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
    settings = _given(
        region, phone_number_id, request_limit, item_limit, window_seconds, default_wait, keep_jobs_days
    )
    changed = api.send("PATCH", "accounts", account, body=settings, repeatable=True)
    _show(changed, as_json=as_json)


@app.command(no_args_is_help=True)
@administered
def delete(api: OperatorApi, account: AccountName, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete an account with all that it owns. Its keys are refused at once; the workers delete the rest."""
    found = api.get("accounts", account)
    ask_for_name(found["name"], yes=yes)
    marked = api.send("DELETE", "accounts", found["id"], repeatable=True)
    if as_json:
        print_json(marked)
    else:
        tell(f"{found['name']} is being deleted: `bulklane operator accounts list` shows it until it is gone")


def _given(
    region: str | None,
    phone_number_id: str | None,
    request_limit: int | None,
    item_limit: int | None,
    window_seconds: int | None,
    default_wait: int | None,
    keep_jobs_days: int | None,
) -> dict[str, str | int | None]:
    """Return the settings that are given, as the API takes them: null removes one."""
    texts = {"region": region, "phone_number_id": phone_number_id}
    numbers = {
        "request_limit": request_limit,
        "item_limit": item_limit,
        "window_seconds": window_seconds,
        "default_wait": default_wait,
    }
    removable = {**texts, "keep_jobs_days": keep_jobs_days}
    return {name: value or None for name, value in removable.items() if value is not None} | {
        name: number for name, number in numbers.items() if number is not None
    }


def _show(account: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(account)
    else:
        show_list([account], ACCOUNT_COLUMNS, as_json=False)
