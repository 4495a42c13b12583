"""The accounts: their load, their limits, their keys."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from api.actions import key_changes
from api.actions.account_id import KEY, NAMED
from api.actions.operator import account_changes
from api.actions.operator.owned_job import list_owned_jobs
from api.html.render import OPERATOR, page, see_other
from api.http.context import operator_pool
from api.http.operator_view import operator_account_view
from api.http.validation import check
from api.http.views.key_view import key_view
from api.openapi.describe import describe
from api.pages.forms import read_form
from api.pages.operator.overview import REFRESH_SECONDS
from schemas.errors import BulklaneError, Conflict, NotAcceptable
from schemas.wire.operator import (
    AccountSettings,
    NewAccount,
    OperatorAccountsQuery,
    OperatorJobsQuery,
)
from schemas.wire.security.key_bodies import KeyRotation, NewKey
from storage.access import api_keys
from storage.entities.accounts import Account
from storage.operator import account_loads

JOBS = 5  # of an account, on its page
REFUSALS = (Conflict, NotAcceptable)  # are shown above the form
STATUSES: dict[type[BulklaneError], int] = {Conflict: 409, NotAcceptable: 422}
DAY = KeyRotation.model_validate({})
CLEARED = ("region", "phone_number_id", "keep_jobs_days")  # an empty field removes these


@describe(hidden=True)
async def list_accounts(request: web.Request) -> web.Response:
    """Show the accounts with their load, in the order of names."""
    return await _list(request, request.query)


@describe(hidden=True)
async def create_account(request: web.Request) -> web.Response:
    """Create an account, and show it."""
    form = await read_form(request)
    try:
        account = await account_changes.create_account(operator_pool(request), check(form, NewAccount))
    except REFUSALS as error:
        return await _list(request, {}, error)
    return see_other(f"/operator/accounts/org_{account.id}")


@describe(hidden=True)
async def show_account(request: web.Request) -> web.Response:
    """Show an account."""
    account = await NAMED.in_path(request)
    return await _show(request, account, refresh=REFRESH_SECONDS)


@describe(hidden=True)
async def change_account(request: web.Request) -> web.Response:
    """Change the settings that the form has, and show where the form was."""
    form = await read_form(request)
    account = await NAMED.in_path(request)
    following = form.pop("following", "")
    given = {name: value or (None if name in CLEARED else value) for name, value in form.items()}
    try:
        await account_changes.change_account(operator_pool(request), account, check(given, AccountSettings))
    except REFUSALS as error:
        return await _show(request, account, error=error)
    return see_other("/operator/accounts" if following == "list" else _path(account))


@describe(hidden=True)
async def delete_account(request: web.Request) -> web.Response:
    """Begin to delete an account, if the form repeats its name, and show how far it is."""
    form = await read_form(request)
    account = await NAMED.in_path(request)
    if form.get("name") != account.name:
        error = NotAcceptable("the name is another one: type the name of this account to delete it")
        return await _show(request, account, error=error)
    await account_changes.delete_account(operator_pool(request), account)
    return see_other(_path(account))


@describe(hidden=True)
async def create_key(request: web.Request) -> web.Response:
    """Create a key, and show it once. A reload asks again, and finds that the name is taken."""
    form = await read_form(request)
    account = await NAMED.in_path(request)
    try:
        made = await key_changes.create_key(request, account, check(_key_fields(form), NewKey))
    except REFUSALS as error:
        return await _show(request, account, error=error)
    return await _show(request, account, key=made.key, key_name=made.name)


@describe(hidden=True)
async def rotate_key(request: web.Request) -> web.Response:
    """Replace a key by a new one, and show that once. A reload asks again, and finds that it is replaced."""
    await read_form(request)
    account = await NAMED.in_path(request)
    try:
        made = await key_changes.rotate_key(request, account.id, await KEY.in_path(request), DAY)
    except REFUSALS as error:
        return await _show(request, account, error=error)
    return await _show(request, account, key=made.key, key_name=made.name)


@describe(hidden=True)
async def revoke_key(request: web.Request) -> web.Response:
    """Revoke a key."""
    await read_form(request)
    account = await NAMED.in_path(request)
    await key_changes.revoke_key(request, account.id, await KEY.in_path(request))
    return see_other(_path(account))


def _key_fields(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the form as the body of the same request: scopes between spaces, and a day, or nothing."""
    given: dict[str, Any] = {"name": form.get("name", "")}
    if scopes := form.get("scopes"):
        given["scopes"] = scopes.split()
    if day := form.get("expires_on"):
        given["expires_at"] = f"{day}T00:00:00Z"
    return given


async def _list(
    request: web.Request, given: Mapping[str, str], error: BulklaneError | None = None
) -> web.Response:
    query = check({name: value for name, value in given.items() if value}, OperatorAccountsQuery)
    pool = operator_pool(request)
    ids = await account_loads.page(pool, prefix=query.search, after=query.cursor, size=query.limit + 1)
    rows = await account_loads.loads(pool, ids[: query.limit])
    views = [operator_account_view(row) for row in rows]
    known: dict[str, Any] = {} if error else {"refresh": REFRESH_SECONDS}
    return page(
        request,
        "operator/accounts.html",
        frame=OPERATOR,
        status=STATUSES[type(error)] if error else 200,
        accounts=views,
        search=query.search,
        first=query.cursor is None,
        following=views[-1].id if len(ids) > query.limit else None,
        error=error,
        **known,
    )


async def _show(
    request: web.Request, account: Account, *, error: BulklaneError | None = None, **known: Any
) -> web.Response:
    pool = operator_pool(request)
    (row,) = await account_loads.loads(pool, [account.id])
    jobs = await list_owned_jobs(request, OperatorJobsQuery.model_validate({"limit": JOBS}), account.id)
    context = {"key": None, "key_name": None, **known}
    return page(
        request,
        "operator/account.html",
        frame=OPERATOR,
        status=STATUSES[type(error)] if error else 200,
        shown=operator_account_view(row),
        keys=[key_view(key) for key in await api_keys.list_keys(pool, account.id)],
        jobs=jobs.jobs,
        error=error,
        **context,
    )


def _path(account: Account) -> str:
    return f"/operator/accounts/org_{account.id}"
