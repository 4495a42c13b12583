"""The session of a signed-in browser: a key in a cookie that only this service can read or make.

    cookie = Fernet(secret of the database){kind, key}

Fernet encrypts, signs and dates the content. The key is checked against the database with each request, so a
session ends when its key is revoked. A request that changes something also needs the session's CSRF token.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web
from cryptography.fernet import Fernet, InvalidToken

from api.http.context import API
from schemas.errors import NotAuthenticated
from storage import server_secrets

SESSION_SECONDS = 7 * 24 * 3600
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105 # the name of a header
TOKEN_FIELD = "csrf_token"  # noqa: S105 # the name of a field of a form


class Kind(StrEnum):
    """Who is signed in."""

    ACCOUNT = "account"
    OPERATOR = "operator"


COOKIES = {Kind.ACCOUNT: ("bulklane_session", "/"), Kind.OPERATOR: ("bulklane_operator", "/operator")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser: its key, and the token that its forms send back."""

    key: str = field(repr=False)
    csrf_token: str = field(repr=False)


SESSION = web.RequestKey("session", Session)
FERNET: web.AppKey[dict[str, Fernet]] = web.AppKey("fernet", dict)  # read once, with the first sign-in


async def read_session(request: web.Request, kind: Kind) -> Session | None:
    """Return the session of a request; None: no cookie, or one that is not ours or too old."""
    cookie = request.cookies.get(COOKIES[kind][0])
    if not cookie:
        return None
    try:
        content = json.loads((await _fernet(request)).decrypt(cookie.encode(), ttl=SESSION_SECONDS))
    except (InvalidToken, ValueError):
        return None
    if content["kind"] != kind:
        return None
    token = hashlib.sha256(b"csrf:" + cookie.encode()).hexdigest()
    return Session(key=content["key"], csrf_token=token)


async def start_session(request: web.Request, response: web.Response, kind: Kind, key: str) -> None:
    """Add the cookie of a new session to a response."""
    name, path = COOKIES[kind]
    content = json.dumps({"kind": kind, "key": key}).encode()
    response.set_cookie(
        name,
        (await _fernet(request)).encrypt(content).decode(),
        max_age=SESSION_SECONDS,
        path=path,
        httponly=True,
        samesite="Strict",
        secure=is_https(request),
    )


def end_session(response: web.Response, kind: Kind) -> None:
    """Delete the cookie."""
    name, path = COOKIES[kind]
    response.del_cookie(name, path=path)


def check_origin(request: web.Request) -> None:
    """Raise NotAuthenticated if another site made the browser send this request (Fetch Metadata, Origin)."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.partition("://")[2] != request.host
    if site not in {"same-origin", "none"} or (foreign and "Sec-Fetch-Site" not in request.headers):
        raise NotAuthenticated(
            "another site made this request: use the pages of this service", code="foreign_site"
        )


def check_token(session: Session, token: str | None) -> None:
    """Raise NotAuthenticated if the CSRF token is missing or is not that of the session."""
    given = b"" if token is None else token.encode(errors="surrogateescape")
    if not hmac.compare_digest(session.csrf_token.encode(), given):
        raise NotAuthenticated(
            "the form is of an older session: load the page again", code="invalid_csrf_token"
        )


def check_script(request: web.Request) -> None:
    """Raise NotAuthenticated unless a script of a page of this session made the request."""
    check_origin(request)
    check_token(request[SESSION], request.headers.get(TOKEN_HEADER))


def is_https(request: web.Request) -> bool:
    """Return whether the browser used https, perhaps to a proxy that we trust."""
    proxied = request.app[API].ctx.settings.trusted_proxies > 0
    forwarded = request.headers.get("X-Forwarded-Proto", "") if proxied else ""
    return request.scheme == "https" or forwarded.split(",")[-1].strip() == "https"


def own_address(request: web.Request) -> str:
    """Return how the browser reaches this service, for the commands that a page shows."""
    return f"{'https' if is_https(request) else 'http'}://{request.host}"


async def _fernet(request: web.Request) -> Fernet:
    kept = request.app[FERNET]
    if "sessions" not in kept:
        kept["sessions"] = Fernet(
            await server_secrets.get(request.app[API].ctx.pool, "sessions", Fernet.generate_key())
        )
    return kept["sessions"]
