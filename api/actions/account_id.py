"""The account, and its key, that an operator's request names: by id or by name."""

from typing import Annotated

from aiohttp import web

from api.http.context import operator_pool
from api.http.path_id import PathId
from schemas.errors import NotAcceptable
from schemas.ids import AccountId, read_account_id
from storage.entities import accounts
from storage.entities.accounts import Account


async def _named(request: web.Request, text: str) -> Account | None:
    """Return the account with this id or name, or None."""
    pool = operator_pool(request)
    number = read_account_id(text)
    found = await accounts.by_id(pool, number) if number else None
    return found or await accounts.by_name(pool, text)


NAMED = PathId(name="account", param="account", look_up=_named, code="unknown_account", of="there is")
KEY = PathId(name="key", param="key", read=lambda text: text, code="unknown_key")
AccountInPath = Annotated[Account, NAMED]
KeyInPath = Annotated[str, KEY]


async def account_named(request: web.Request, text: object) -> AccountId:
    """Return the id of the account that a query names by id or name; raises NotAcceptable."""
    account = await _named(request, str(text))
    if account is None:
        message = f"there is no account {str(text)[:100]!r}: see GET /operator/v1/accounts"
        raise NotAcceptable(message, code="unknown_account", param="account")
    return account.id
