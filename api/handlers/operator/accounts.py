"""/operator/v1/accounts: the accounts with their load, and their limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from aiohttp import web

from api.endpoint import endpoint
from api.http.context import operator_pool
from api.http.operator_view import operator_account_view
from api.http.path_id import PathId
from api.http.responses import created, page_of, shown
from schemas.errors import Conflict, NotAcceptable
from schemas.ids import AccountId, read_account_id
from schemas.wire.base import Listing
from schemas.wire.operator import AccountSettings, NewAccount, OperatorAccount, OperatorAccountsQuery
from storage.entities import accounts
from storage.entities.accounts import Account, AccountChange, NameTaken
from storage.operator import account_loads


async def _named(request: web.Request, text: str) -> Account | None:
    """Return the account with this id or name, or None."""
    pool = operator_pool(request)
    number = read_account_id(text)
    found = await accounts.by_id(pool, number) if number else None
    return found or await accounts.by_name(pool, text)


NAMED = PathId(name="account", param="account", look_up=_named, code="unknown_account", of="there is")
AccountInPath = Annotated[Account, NAMED]


async def account_named(request: web.Request, text: object) -> AccountId:
    """Return the id of the account that a query names by id or name; raises NotAcceptable."""
    account = await _named(request, str(text))
    if account is None:
        message = f"there is no account {str(text)[:100]!r}: see GET /operator/v1/accounts"
        raise NotAcceptable(message, code="unknown_account", param="account")
    return account.id


@endpoint(responses={200: Listing[OperatorAccount]})
async def list_all_accounts(request: web.Request, query: OperatorAccountsQuery) -> web.Response:
    """List all accounts with their load, in the order of names; `search` is how a name begins."""
    pool = operator_pool(request)
    after = read_account_id(query.cursor) if query.cursor else None
    if query.cursor and after is None:
        message = "cursor: is not a cursor: send the next_cursor of another page"
        raise NotAcceptable(message, code="invalid_parameter", param="cursor")
    ids = await account_loads.page(pool, prefix=query.search, after=after, size=query.limit + 1)
    rows = await account_loads.loads(pool, ids)
    return page_of([operator_account_view(row) for row in rows], query.limit, lambda view: view.id)


@endpoint(responses={201: OperatorAccount}, errors=(409,))
async def create_account(request: web.Request, body: NewAccount) -> web.Response:
    """Create an account. It has no key yet."""
    change = AccountChange(**body.model_dump(exclude={"name"}))
    with _is_free():
        account = await accounts.create(operator_pool(request), body.name, change)
    view = await _view(request, account)
    return created(request, view, view.id)


@endpoint(responses={200: OperatorAccount})
async def get_account(request: web.Request, account: AccountInPath) -> web.Response:
    """Get an account with its load."""
    return shown(await _view(request, account))


@endpoint(responses={200: OperatorAccount}, errors=(409,))
async def change_account(request: web.Request, account: AccountInPath, body: AccountSettings) -> web.Response:
    """Change the limits and the other settings of an account. Takes effect at once."""
    change = AccountChange(**body.changed())
    with _is_free():
        changed = await accounts.update(operator_pool(request), account.name, change)
    return shown(await _view(request, NAMED.found(request, changed)))


@contextmanager
def _is_free() -> Iterator[None]:
    """Raise Conflict if the name or the phone_number_id is taken."""
    try:
        yield
    except NameTaken as error:
        message = f"another account has this name or phone_number_id: {error}; choose another"
        raise Conflict(message, code="account_exists") from error


async def _view(request: web.Request, account: Account) -> OperatorAccount:
    (row,) = await account_loads.loads(operator_pool(request), [account.id])
    return operator_account_view(row)
