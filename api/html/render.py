"""Render a page: the template engine, what every template knows, and the policy of the browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from jinja2 import PackageLoader, StrictUndefined, select_autoescape

from api.html import assets, shows
from api.html.session import SAFE_METHODS, SESSION
from api.http.context import ACCOUNT, CALLER, REQUEST_ID
from schemas.callers import Scope
from schemas.errors import BulklaneError, NotAuthenticated

# Numbers of bars are attributes of SVG elements, so no inline style is needed. No other host is named.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGES: web.AppKey[frozenset[object]] = web.AppKey(
    "pages_of_people", frozenset
)  # handlers that answer with HTML
API_PATHS = ("/v1/", "/api/", "/operator/v1/")
# By status: the heading of the page of an error, and what to do.
ERROR_TEXTS: Mapping[int, tuple[str, str]] = {
    403: ("This key may not do this", "Sign out, and sign in with a key that has the scope."),
    404: ("There is nothing here", "Check the address, or start from the first page."),
    405: ("This page takes no such request", "Open it from the first page."),
    409: ("This is not possible now", "Go back and load the page again: something has changed meanwhile."),
    413: ("This is too large", "Files are sent with the page Upload, which takes large ones."),
    422: ("This is not valid", "Correct it in the address or in the form, or start from the first page."),
    429: ("Too many requests", "Wait a little, and load the page again."),
    500: ("This did not work", "Load the page again. If it fails again, report the request below."),
    503: ("The service is busy", "Load the page again in a few seconds. Nothing that was accepted is lost."),
}


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link of the navigation. It is the current one on the pages below its path, too, unless `alone`.

    `also`: the paths of further pages that belong to it. Keys without `scope` do not see it.
    """

    path: str
    text: str
    alone: bool = False
    also: tuple[str, ...] = ()
    scope: Scope = Scope.READ

    def is_current(self, path: str) -> bool:
        """Return whether `path` belongs to this item."""
        own = (self.path, *self.also)
        return path in own or (not self.alone and any(path.startswith(f"{each}/") for each in own))


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the pages of a kind of person."""

    brand: str
    home: str
    sign_in: str
    sign_out: str
    items: tuple[NavItem, ...]
    key_name: str
    key_hint: str
    key_example: str


TENANT = Frame(
    brand="Bulklane",
    home="/",
    sign_in="/sign-in",
    sign_out="/sign-out",
    items=(
        NavItem("/", "Jobs", alone=True),
        NavItem("/upload", "Upload", scope=Scope.WRITE),
        NavItem("/contacts", "Contacts"),
        NavItem("/lists", "Lists", also=("/labels", "/audiences", "/channels", "/properties", "/teams")),
        NavItem("/webhooks", "Webhooks", scope=Scope.ADMIN),
        NavItem("/limits", "Limits"),
    ),
    key_name="API key",
    key_hint="Use an API key of your account.",
    key_example="bl_…",
)


OPERATOR = Frame(
    brand="Bulklane operator",
    home="/operator",
    sign_in="/operator/sign-in",
    sign_out="/operator/sign-out",
    items=(
        NavItem("/operator", "Overview", alone=True),
        NavItem("/operator/accounts", "Accounts"),
        NavItem("/operator/jobs", "Jobs"),
    ),
    key_name="Key of the operator",
    key_hint="Use the value of OPERATOR_KEY.",
    key_example="op_…",
)


def frame_of(request: web.Request) -> Frame:
    """Return the frame of the page that a request asks for."""
    is_known = request.match_info.http_exception is None
    return OPERATOR if is_known and request.path.startswith(OPERATOR.home) else TENANT


def install(app: web.Application) -> None:
    """Set up the template engine of the application."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=PackageLoader("api.html"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shows.FILTERS)
    environment.globals.update(asset=assets.url, address=shows.address)


def page(
    request: web.Request, template: str, *, frame: Frame = TENANT, status: int = 200, **context: Any
) -> web.Response:
    """Render a template. It knows the frame, the account, the CSRF token and the path besides `context`.

    It also knows the scopes of the session, and shows no form that they do not allow.
    """
    session, caller = request.get(SESSION), request.get(CALLER)
    known: Mapping[str, Any] = {
        "frame": frame,
        "account": request.get(ACCOUNT),
        "scopes": caller.scopes if caller else frozenset(),
        "csrf_token": session.csrf_token if session else "",
        "path": request.path,
    }
    text = aiohttp_jinja2.render_string(template, request, {**known, **context})
    headers = {"Content-Security-Policy": POLICY}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def see_other(path: str) -> web.Response:
    """Return a redirect after a form: the browser loads `path`, and a reload sends nothing again."""
    return web.Response(status=303, headers={"Location": path})


def wants_page(request: web.Request) -> bool:
    """Return whether a person looks at the response: that of a page, or of an unknown path in a browser."""
    if request.match_info.http_exception is None:
        return request.match_info.handler in request.app[PAGES]
    html = "text/html" in request.headers.get("Accept", "")
    return html and not request.path.startswith(API_PATHS)


def error_page(request: web.Request, error: BulklaneError, status: int) -> web.Response:
    """Return the page of an error: the form to sign in if there is no session, otherwise what to do."""
    frame = frame_of(request)
    if isinstance(error, NotAuthenticated):
        message = "" if error.code == "missing_api_key" else error.message
        following = request.path_qs if request.method in SAFE_METHODS else frame.home
        return page(request, "sign_in.html", frame=frame, status=status, message=message, following=following)
    heading, advice = ERROR_TEXTS.get(status, ("This did not work", "Start from the first page."))
    return page(
        request,
        "error.html",
        frame=frame,
        status=status,
        code=status,
        heading=heading,
        advice=advice,
        error=error,
        address=request.path_qs,
        request_id=request[REQUEST_ID],
    )
