"""/v1/keys: the keys of the account."""

from aiohttp import web

from api.actions import key_changes
from api.actions.account_id import KEY, KeyInPath
from api.endpoint import endpoint
from api.http.context import ACCOUNT, scope
from api.http.responses import created, made, shown
from api.http.views.key_view import key_view
from schemas.wire.base import Listing
from schemas.wire.security.key_bodies import AccountKey, CreatedKey, KeyRotation, NewKey
from storage.access import api_keys


@endpoint(responses={200: Listing[AccountKey]})
async def list_keys(request: web.Request) -> web.Response:
    """List the keys, oldest first; of more than 1,000 the live ones and the newest."""
    rows = await api_keys.list_keys(*scope(request))
    return shown(Listing[AccountKey](data=[key_view(row) for row in rows], next_cursor=None))


@endpoint(responses={201: CreatedKey}, errors=(409,))
async def create_key(request: web.Request, body: NewKey) -> web.Response:
    """Create a key, with no more scopes and no later end than the key of the request.

    The response shows it once; only its hash is stored.
    """
    view = await key_changes.create_key(request, request[ACCOUNT], body)
    return created(request, view, view.id)


@endpoint(responses={200: AccountKey})
async def get_key(request: web.Request, key: KeyInPath) -> web.Response:
    """Get a key, by its id or by the name that it has now, also a revoked one."""
    return shown(key_view(KEY.found(request, await api_keys.find_key(*scope(request), key))))


@endpoint(responses={201: CreatedKey}, errors=(409,))
async def rotate_key(request: web.Request, key: KeyInPath, body: KeyRotation) -> web.Response:
    """Replace a key, named by its id or its name, by a new one with the same name and scopes.

    The old one works for `grace_seconds` more.
    """
    view = await key_changes.rotate_key(request, request[ACCOUNT].id, key, body)
    return made(view, f"/v1/keys/{view.id}")


@endpoint(responses={200: AccountKey}, errors=(409,))
async def revoke_key(request: web.Request, key: KeyInPath) -> web.Response:
    """Revoke a key, by its id or its name. Takes effect at once. A key cannot revoke itself."""
    return shown(key_view(await key_changes.revoke_key(request, request[ACCOUNT].id, key)))
