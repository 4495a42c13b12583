"""/operator/v1/accounts/{account}/keys: the keys of an account, by name."""

from urllib.parse import quote

from aiohttp import web

from api.actions import key_changes
from api.actions.account_id import KEY, AccountInPath, KeyInPath
from api.endpoint import endpoint
from api.http.context import operator_pool
from api.http.responses import created, made, shown
from api.http.views.key_view import key_view
from schemas.wire.base import Listing
from schemas.wire.security.key_bodies import AccountKey, CreatedKey, KeyRotation, NewKey
from storage.access import api_keys


@endpoint(responses={200: Listing[AccountKey]})
async def list_keys(request: web.Request, account: AccountInPath) -> web.Response:
    """List the keys of an account, oldest first; of more than 1,000 the live ones and the newest."""
    rows = await api_keys.list_keys(operator_pool(request), account.id)
    return shown(Listing[AccountKey](data=[key_view(row) for row in rows], next_cursor=None))


@endpoint(responses={201: CreatedKey}, errors=(409,))
async def create_key(request: web.Request, account: AccountInPath, body: NewKey) -> web.Response:
    """Create a key. The response shows it once; only its hash is stored."""
    view = await key_changes.create_key(request, account, body)
    return created(request, view, view.id)


@endpoint(responses={200: AccountKey})
async def get_key(request: web.Request, account: AccountInPath, key: KeyInPath) -> web.Response:
    """Get a key of an account, by its id or by the name that it has now, also a revoked one."""
    row = await api_keys.find_key(operator_pool(request), account.id, key)
    return shown(key_view(KEY.found(request, row)))


@endpoint(responses={201: CreatedKey}, errors=(409,))
async def rotate_key(
    request: web.Request, account: AccountInPath, key: KeyInPath, body: KeyRotation
) -> web.Response:
    """Replace a key, named by its id or its name, by a new one with the same name and scopes.

    The old one works for `grace_seconds` more.
    """
    view = await key_changes.rotate_key(request, account.id, key, body)
    return made(view, f"/operator/v1/accounts/{quote(account.name, safe='')}/keys/{view.id}")


@endpoint(responses={200: AccountKey})
async def revoke_key(request: web.Request, account: AccountInPath, key: KeyInPath) -> web.Response:
    """Revoke a key, by its id or its name. Takes effect at once."""
    return shown(key_view(await key_changes.revoke_key(request, account.id, key)))
