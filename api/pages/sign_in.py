"""Sign in with a key and sign out, as an account or as the operator; and the files of the pages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from api.html.assets import ASSETS, TYPES
from api.html.render import OPERATOR, TENANT, Frame, page, see_other
from api.html.session import Kind, check_origin, end_session, start_session
from api.http.context import API
from api.middleware.authenticate import FAILED_KEYS
from api.middleware.authenticate import OPERATOR as ACCESS
from api.openapi.describe import describe
from api.pages.forms import local_path, read_fields, read_form
from api.route import Handler
from schemas.errors import NotFound
from storage.access import api_keys

# The address in a page changes with the content. A script imports another one by its plain name.
FOREVER, REVALIDATED = "public, max-age=31536000, immutable", "no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What differs between the two sign-ins. `opens` returns whether a key is valid."""

    frame: Frame
    kind: Kind
    opens: Callable[[web.Request, str], Awaitable[bool]]
    refusal: str


def _pages_of(door: Door) -> tuple[Handler, Handler, Handler]:
    """Return the handlers of a door: the one that shows its form, to sign in, and to sign out."""
    home = door.frame.home

    @describe(hidden=True)
    async def show_form(request: web.Request) -> web.Response:
        return page(request, "sign_in.html", frame=door.frame, message="", following=home)

    @describe(hidden=True)
    async def enter(request: web.Request) -> web.Response:
        check_origin(request)
        form = await read_fields(request)
        key, following = form.get("key", "").strip(), local_path(form.get("following", ""), home)
        if not await door.opens(request, key):
            request.app[FAILED_KEYS].count(request)
            context = {"message": door.refusal, "following": following}
            return page(request, "sign_in.html", frame=door.frame, status=401, **context)
        response = see_other(following)
        await start_session(request, response, door.kind, key)
        return response

    @describe(hidden=True)
    async def leave(request: web.Request) -> web.Response:
        await read_form(request)
        response = see_other(home)
        end_session(response, door.kind)
        return response

    return show_form, enter, leave


async def _opens_account(request: web.Request, key: str) -> bool:
    holder = await api_keys.by_key(request.app[API].ctx.pool, key)
    return holder is not None and holder.expired_at is None


async def _opens_operator(request: web.Request, key: str) -> bool:
    return request.app[ACCESS].opens(key)


# The link of `./run` has the key behind a `#`, where no server or proxy logs it.
show_sign_in, sign_in, sign_out = _pages_of(
    Door(
        frame=TENANT,
        kind=Kind.ACCOUNT,
        opens=_opens_account,
        refusal="This key is unknown, revoked or expired. Copy the whole key: it begins with bl_.",
    )
)
show_operator_sign_in, operator_sign_in, operator_sign_out = _pages_of(
    Door(
        frame=OPERATOR,
        kind=Kind.OPERATOR,
        opens=_opens_operator,
        refusal="This is not the key of the operator. It is the value of OPERATOR_KEY.",
    )
)


@describe(hidden=True)
async def asset(request: web.Request) -> web.FileResponse:
    """Serve a file of the pages."""
    path = ASSETS.get(request.match_info["asset"])
    if path is None:
        raise NotFound(f"there is nothing at {request.path}", code="unknown_path")
    caching = FOREVER if "v" in request.query else REVALIDATED
    return web.FileResponse(path, headers={"Content-Type": TYPES[path.suffix], "Cache-Control": caching})
