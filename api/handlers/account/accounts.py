"""/v1/accounts and /v1/limits: the account of the key, and what it may do."""

from aiohttp import web

from api.endpoint import endpoint
from api.http.context import ACCOUNT, API
from api.http.responses import page_of, shown
from api.http.views.limits_view import read_limits
from schemas.ids import show_account_id
from schemas.wire.account_limits import LimitsView
from schemas.wire.base import Listing
from schemas.wire.query_models import AccountsQuery
from schemas.wire.resources import AccountLimits, AccountView
from storage.entities.accounts import Account


@endpoint(responses={200: Listing[AccountView]})
async def list_accounts(request: web.Request, query: AccountsQuery) -> web.Response:
    """Get the account of the key, with the `phone_number_id` for the path of the label endpoint."""
    return page_of([account_view(request[ACCOUNT])], query.limit, lambda view: view.id)


@endpoint(responses={200: LimitsView})
async def get_limits(request: web.Request) -> web.Response:
    """Get the use of the account's windows, its queue, and an estimate of when the queue will be done."""
    return shown(await read_limits(request.app[API].ctx, request[ACCOUNT]))


def account_view(account: Account) -> AccountView:
    """Return an account as a client reads it."""
    return AccountView(
        id=show_account_id(account.id),
        name=account.name,
        region=account.region,
        phone_number_id=account.phone_number_id,
        limits=AccountLimits(
            requests=account.request_limit, items=account.item_limit, window_seconds=account.window_seconds
        ),
    )
