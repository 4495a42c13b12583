"""Find the account of the key. The table of routes defines which routes need a key."""

from aiohttp import web
from aiohttp.typedefs import Handler

from api.http.context import ACCOUNT, API, BULK, UNFINISHED
from api.middleware.failed_keys import FailedKeys
from schemas.errors import NotAuthenticated, Unavailable
from storage.entities import accounts
from storage.entities.accounts import Account

FAILED_KEYS = web.AppKey("failed_keys", FailedKeys)
PUBLIC: web.AppKey[frozenset[object]] = web.AppKey("public", frozenset)  # handlers that need no key


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Set the account on the request. An unknown path is a 404 without a key.

    Raises NotAuthenticated, and RateLimited after many wrong keys.
    """
    match_info = request.match_info
    if match_info.http_exception is None and match_info.handler not in request.app[PUBLIC]:
        key = key_of(request)
        if key is None:
            raise NotAuthenticated(
                "the request has no key: send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'",
                code="missing_api_key",
            )
        api = request.app[API]
        if not api.schema_ready.is_set():
            raise Unavailable("the database was not reached yet, or is not migrated: send the request again")
        account = await _account_of(request, key)
        if account is None:
            request.app[FAILED_KEYS].count(request)
            raise NotAuthenticated("the key is unknown or revoked: send a valid key of the account")
        request[ACCOUNT] = account
    return await handler(request)


async def _account_of(request: web.Request, key: str) -> Account | None:
    """Return the account of a key. For a bulk request, the same statement counts its unfinished jobs."""
    pool = request.app[API].ctx.pool
    if request.match_info.handler not in request.app[BULK]:
        return await accounts.by_key(pool, key)
    if (found := await accounts.by_key_with_jobs(pool, key)) is None:
        return None
    account, request[UNFINISHED] = found
    return account


def key_of(request: web.Request) -> str | None:
    """Return the key from any of the headers that the partners use; None: the request has no key."""
    authorization = request.headers.get("Authorization", "").strip()
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        authorization = rest.strip()
    return authorization or request.headers.get("x-api-key") or request.headers.get("X-WHIPPY-KEY") or None
