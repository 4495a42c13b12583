"""Find the account of the key, or check the operator's. The table of routes says which key a route needs.

A program sends the key in a header. A browser that is signed in has it in a cookie: the pages accept nothing
else, and the API accepts it where the request has no key in a header.
"""

import hashlib
import hmac
from collections.abc import Collection

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from api.html.render import PAGES
from api.html.session import SAFE_METHODS, SESSION, Kind, check_script, read_session
from api.http.context import ACCOUNT, API, BULK, CALLER, SCOPES, UNFINISHED, check_schema
from api.http.identity.caller import caller_of
from api.middleware.failed_keys import FailedKeys
from schemas.callers import show_scopes
from schemas.errors import NotAuthenticated, NotPermitted
from schemas.ids import show_account_id
from storage.access import api_keys
from storage.access.api_keys import Holder

FAILED_KEYS = web.AppKey("failed_keys", FailedKeys)
PUBLIC: web.AppKey[frozenset[object]] = web.AppKey("public", frozenset)  # handlers that need no key


class OperatorAccess:
    """The handlers that only the operator may call, and the check of the operator's key."""

    def __init__(self, key: str, handlers: Collection[object]) -> None:
        self._digest = _digest(key)
        self.handlers = frozenset(handlers)

    def opens(self, key: str) -> bool:
        """Return whether this is the operator's key. Takes the same time for every wrong key."""
        return hmac.compare_digest(_digest(key), self._digest)


OPERATOR = web.AppKey("operator", OperatorAccess)  # absent without OPERATOR_KEY


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Set the account on the request, or let the operator pass. An unknown path is a 404 without a key.

    Raises NotAuthenticated, NotPermitted, and RateLimited after many wrong keys.
    """
    match_info = request.match_info
    if match_info.http_exception is None and match_info.handler not in request.app[PUBLIC]:
        operator = request.app.get(OPERATOR)
        of_operator = operator is not None and match_info.handler in operator.handlers
        kind = Kind.OPERATOR if of_operator else Kind.ACCOUNT
        key = await _key_for(request, kind)
        if key is None:
            raise NotAuthenticated(
                "the request has no key: send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'",
                code="missing_api_key",
            )
        if kind is Kind.OPERATOR:
            check_operator_key(request, key)
            holder = None
        else:
            holder = await _holder_of(request, key)
            request[ACCOUNT] = holder.account
            structlog.contextvars.bind_contextvars(account=show_account_id(holder.account.id))
        request[CALLER] = caller_of(request, holder, session=SESSION in request)
        if holder is not None:
            _check_scope(request, holder)
    return await handler(request)


def check_operator_key(request: web.Request, key: str) -> None:
    """Raise NotAuthenticated unless this is the key of the operator; RateLimited after many wrong ones."""
    if not request.app[OPERATOR].opens(key):
        raise _wrong_key(request, "this is not the key of the operator: send that of OPERATOR_KEY")


async def _key_for(request: web.Request, kind: Kind) -> str | None:
    """Return the key of a request. Raises NotAuthenticated if another site uses the session of a browser."""
    is_page = request.match_info.handler in request.app[PAGES]
    if not is_page and (key := key_of(request)) is not None:
        return key
    if (session := await read_session(request, kind)) is None:
        return None
    request[SESSION] = session
    if not is_page and request.method not in SAFE_METHODS:  # the handlers of pages check their forms
        check_script(request)
    return session.key


def _wrong_key(request: web.Request, message: str) -> NotAuthenticated:
    """Count a wrong key and return its error; raises RateLimited after many of them."""
    if SESSION not in request:  # the key of a session was valid when it began
        request.app[FAILED_KEYS].count(request)
    return NotAuthenticated(message)


async def _holder_of(request: web.Request, key: str) -> Holder:
    """Return the holder of a key; raises NotAuthenticated, RateLimited, and Unavailable without a schema."""
    check_schema(request)
    holder = await _look_up(request, key)
    if holder is None:
        raise _wrong_key(request, "the key is unknown or revoked: send a valid key of the account")
    if holder.expired_at is not None:  # not counted as a wrong key: nobody guesses an expired key
        raise NotAuthenticated(
            f"the key {holder.key_id} has expired at {holder.expired_at:%Y-%m-%dT%H:%M:%SZ}: "
            "send another key of the account",
            code="api_key_expired",
        )
    request.app[API].key_uses.note(holder.account.id, holder.key_id)
    return holder


def _check_scope(request: web.Request, holder: Holder) -> None:
    """Raise NotPermitted unless the key has the scope that the route needs."""
    needed = request.app[SCOPES].get(request.match_info.handler)
    if needed is not None and needed not in holder.scopes:
        raise NotPermitted(
            f"this needs a key with the scope {needed}; {holder.key_id} has {show_scopes(holder.scopes)}: "
            "use another key, or create one"
        )


async def _look_up(request: web.Request, key: str) -> Holder | None:
    """Return the holder of a key. For a bulk request, the same statement counts its unfinished jobs."""
    pool = request.app[API].ctx.pool
    if request.match_info.handler not in request.app[BULK]:
        return await api_keys.by_key(pool, key)
    if (found := await api_keys.by_key_with_jobs(pool, key)) is not None:
        request[UNFINISHED] = found.unfinished
    return found


def key_of(request: web.Request) -> str | None:
    """Return the key from any of the headers that the partners use; None: the request has no key."""
    authorization = request.headers.get("Authorization", "").strip()
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        authorization = rest.strip()
    return authorization or request.headers.get("x-api-key") or request.headers.get("X-WHIPPY-KEY") or None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
