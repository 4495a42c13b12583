"""/v1/accounts: the account of the key."""

from aiohttp import web

from api.endpoint import endpoint
from api.http.context import ACCOUNT
from api.http.responses import page_of
from schemas.ids import show_account_id
from schemas.wire.base import Listing
from schemas.wire.query_models import AccountsQuery
from schemas.wire.resources import AccountLimits, AccountView
from storage.entities.accounts import Account


@endpoint(responses={200: Listing[AccountView]})
async def list_accounts(request: web.Request, query: AccountsQuery) -> web.Response:
    """Get the account of the key, with the `phone_number_id` for the path of the label endpoint."""
    return page_of([account_view(request[ACCOUNT])], query.limit, lambda view: view.id)


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
