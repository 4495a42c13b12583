"""Read the forms and the scripts' requests of pages, only if this service made them; and where they lead."""

from aiohttp import web

from api.html.session import SESSION, TOKEN_FIELD, TOKEN_HEADER, check_origin, check_token


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form without its CSRF token. Raises NotAuthenticated."""
    check_origin(request)
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    check_token(request[SESSION], form.pop(TOKEN_FIELD, None))
    return form


def local_path(text: str, otherwise: str) -> str:
    """Return a path of this service; anything else, for example an address of another host: `otherwise`."""
    is_path = text.startswith("/") and text[1:2] not in {"/", "\\"} and text.isprintable()
    return text if is_path else otherwise


def check_script(request: web.Request) -> None:
    """Raise NotAuthenticated unless a script of a page of this session made the request."""
    check_origin(request)
    check_token(request[SESSION], request.headers.get(TOKEN_HEADER))
