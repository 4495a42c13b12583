"""Read the forms and the scripts' requests of pages, only if this service made them; and where they lead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from api.html.session import SESSION, TOKEN_FIELD, check_origin, check_token
from schemas.errors import Conflict, NotAcceptable

URLENCODED = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """A field of a form. `choices` makes it a list of values and texts, `lines` a text of several lines."""

    name: str
    label: str
    hint: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    lines: int = 0


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form without its CSRF token. Raises NotAuthenticated."""
    check_origin(request)
    form = await read_fields(request)
    check_token(request[SESSION], form.pop(TOKEN_FIELD, None))
    return form


async def read_fields(request: web.Request) -> dict[str, str]:
    """Return the fields of a form as browsers encode those of our pages; of any other body there are none.

    aiohttp's `post` raises errors of many types for a body that is malformed.
    """
    if request.content_type != URLENCODED:
        return {}
    text = (await request.read()).decode(errors="replace")
    return dict(parse_qsl(text, keep_blank_values=True))


def local_path(text: str, otherwise: str) -> str:
    """Return a path of this service; anything else, for example an address of another host: `otherwise`."""
    is_path = text.startswith("/") and text[1:2] not in {"/", "\\"} and text.isprintable()
    return text if is_path else otherwise


def body_of(form: Mapping[str, str], fields: tuple[FormField, ...]) -> dict[str, Any]:
    """Return a form as the JSON body of the same request. An empty field is absent; lines become an array."""
    body: dict[str, Any] = {}
    for field in fields:
        if (text := form.get(field.name, "")).strip():
            body[field.name] = [line for line in text.splitlines() if line.strip()] if field.lines else text
    return body


def errors_of(error: NotAcceptable | Conflict) -> dict[str, str]:
    """Return the message for each field of a form. The message of the whole form has the name ``."""
    problems = error.problems if isinstance(error, NotAcceptable) and error.problems else (error,)
    messages: dict[str, str] = {}
    for problem in problems:
        name = (problem.param or "").partition("[")[0]
        messages.setdefault(name, problem.message[:1].upper() + problem.message[1:])
    return messages
