"""Sign in with a key, sign out; and the files of the pages."""

from aiohttp import web

from api.html.assets import ASSETS, TYPES
from api.html.render import page, see_other
from api.html.session import Kind, check_origin, end_session, start_session
from api.http.context import API
from api.middleware.authenticate import FAILED_KEYS
from api.openapi.describe import describe
from api.pages.forms import local_path, read_fields, read_form
from schemas.errors import NotFound
from storage.entities import accounts

# The address in a page changes with the content. A script imports another one by its plain name.
FOREVER, REVALIDATED = "public, max-age=31536000, immutable", "no-cache"


@describe(hidden=True)
async def show_sign_in(request: web.Request) -> web.Response:
    """Show the form. The link of `./run` has the key behind a `#`, where no server or proxy logs it."""
    return page(request, "sign_in.html", message="", following="/")


@describe(hidden=True)
async def sign_in(request: web.Request) -> web.Response:
    """Start a session if the key is valid; otherwise show the form again."""
    check_origin(request)
    form = await read_fields(request)
    key, following = form.get("key", "").strip(), local_path(form.get("following", ""), "/")
    if await accounts.by_key(request.app[API].ctx.pool, key) is None:
        request.app[FAILED_KEYS].count(request)
        message = "This key is unknown or revoked. Copy the whole key: it begins with bl_."
        return page(request, "sign_in.html", status=401, message=message, following=following)
    response = see_other(following)
    await start_session(request, response, Kind.ACCOUNT, key)
    return response


@describe(hidden=True)
async def sign_out(request: web.Request) -> web.Response:
    """End the session."""
    await read_form(request)
    response = see_other("/")
    end_session(response, Kind.ACCOUNT)
    return response


@describe(hidden=True)
async def asset(request: web.Request) -> web.FileResponse:
    """Serve a file of the pages."""
    path = ASSETS.get(request.match_info["asset"])
    if path is None:
        raise NotFound(f"there is nothing at {request.path}", code="unknown_path")
    caching = FOREVER if "v" in request.query else REVALIDATED
    return web.FileResponse(path, headers={"Content-Type": TYPES[path.suffix], "Cache-Control": caching})
