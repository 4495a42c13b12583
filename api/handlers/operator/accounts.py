"""/operator/v1/accounts: the accounts with their load, and their limits."""

from aiohttp import web

from api.actions.account_id import NAMED, AccountInPath
from api.actions.operator import account_changes
from api.endpoint import endpoint
from api.http.context import operator_pool
from api.http.operator_view import operator_account_view
from api.http.responses import created, page_of, queued, shown
from schemas.wire.base import Listing
from schemas.wire.operator import AccountSettings, NewAccount, OperatorAccount, OperatorAccountsQuery
from storage.entities.accounts import Account
from storage.operator import account_loads


@endpoint(responses={200: Listing[OperatorAccount]})
async def list_all_accounts(request: web.Request, query: OperatorAccountsQuery) -> web.Response:
    """List all accounts with their load, in the order of names; `search` is how a name begins."""
    pool = operator_pool(request)
    ids = await account_loads.page(pool, prefix=query.search, after=query.cursor, size=query.limit + 1)
    rows = await account_loads.loads(pool, ids)
    return page_of([operator_account_view(row) for row in rows], query.limit, lambda view: view.id)


@endpoint(responses={201: OperatorAccount}, errors=(409,))
async def create_account(request: web.Request, body: NewAccount) -> web.Response:
    """Create an account. It has no key yet."""
    account = await account_changes.create_account(operator_pool(request), body)
    view = await _view(request, account)
    return created(request, view, view.id)


@endpoint(responses={200: OperatorAccount})
async def get_account(request: web.Request, account: AccountInPath) -> web.Response:
    """Get an account with its load."""
    return shown(await _view(request, account))


@endpoint(responses={200: OperatorAccount}, errors=(409,))
async def change_account(request: web.Request, account: AccountInPath, body: AccountSettings) -> web.Response:
    """Change the limits and the other settings of an account. Takes effect at once."""
    changed = await account_changes.change_account(operator_pool(request), account, body)
    return shown(await _view(request, NAMED.found(request, changed)))


@endpoint(responses={202: OperatorAccount})
async def delete_account(request: web.Request, account: AccountInPath) -> web.Response:
    """Delete an account with all that it owns. Its keys are refused at once; workers delete the rest.

    The account has a `deleting_at` until everything is deleted, and then it is a 404. Its name is free then.
    A repetition changes nothing.
    """
    marked = await account_changes.delete_account(operator_pool(request), account)
    return queued(await _view(request, NAMED.found(request, marked)))


async def _view(request: web.Request, account: Account) -> OperatorAccount:
    (row,) = await account_loads.loads(operator_pool(request), [account.id])
    return operator_account_view(row)
