"""Find the account of the key. The table of routes defines which routes need a key.

A program sends the key in a header. A browser that is signed in has it in a cookie: the pages accept nothing
else, and the API accepts it where the request has no key in a header.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

from api.html.render import PAGES
from api.html.session import (
    SAFE_METHODS,
    SESSION,
    TOKEN_HEADER,
    Kind,
    check_origin,
    check_token,
    read_session,
)
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
        key = await _key_for(request)
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
            if SESSION not in request:  # the key of a session was valid when it began
                request.app[FAILED_KEYS].count(request)
            raise NotAuthenticated("the key is unknown or revoked: send a valid key of the account")
        request[ACCOUNT] = account
    return await handler(request)


async def _key_for(request: web.Request) -> str | None:
    """Return the key of a request. Raises NotAuthenticated if another site uses the session of a browser."""
    is_page = request.match_info.handler in request.app[PAGES]
    if not is_page and (key := key_of(request)) is not None:
        return key
    if (session := await read_session(request, Kind.ACCOUNT)) is None:
        return None
    request[SESSION] = session
    if not is_page and request.method not in SAFE_METHODS:  # the handlers of pages check their forms
        check_origin(request)
        check_token(session, request.headers.get(TOKEN_HEADER))
    return session.key


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
