"""Sign in with the key of the operator, sign out."""

from aiohttp import web

from api.html.render import OPERATOR, page, see_other
from api.html.session import Kind, check_origin, end_session, start_session
from api.middleware.authenticate import FAILED_KEYS
from api.middleware.authenticate import OPERATOR as ACCESS
from api.openapi.describe import describe
from api.pages.forms import local_path, read_fields, read_form


@describe(hidden=True)
async def show_operator_sign_in(request: web.Request) -> web.Response:
    """Show the form."""
    return page(request, "sign_in.html", frame=OPERATOR, message="", following=OPERATOR.home)


@describe(hidden=True)
async def operator_sign_in(request: web.Request) -> web.Response:
    """Start a session if this is the key of the operator; otherwise show the form again."""
    check_origin(request)
    form = await read_fields(request)
    key = form.get("key", "").strip()
    following = local_path(form.get("following", ""), OPERATOR.home)
    if not request.app[ACCESS].opens(key):
        request.app[FAILED_KEYS].count(request)
        message = "This is not the key of the operator. It is the value of OPERATOR_KEY."
        return page(request, "sign_in.html", frame=OPERATOR, status=401, message=message, following=following)
    response = see_other(following)
    await start_session(request, response, Kind.OPERATOR, key)
    return response


@describe(hidden=True)
async def operator_sign_out(request: web.Request) -> web.Response:
    """End the session."""
    await read_form(request)
    response = see_other(OPERATOR.home)
    end_session(response, Kind.OPERATOR)
    return response
