"""Read a query or a JSON body into a pydantic model, and report all problems at once."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from api.http.body_stream import arriving, pipeline_for, read_pieces, read_whole
from api.http.context import API
from schemas.errors import BodyTooLarge, MalformedBody, NotAcceptable, UnsupportedFormat
from schemas.formats.content_type import Format, charset_of, format_for
from schemas.formats.encodings import Pipeline
from schemas.formats.json_text import has_more_values
from schemas.formats.ndjson import decode_line
from schemas.formats.records import Unreadable
from schemas.formats.undeclared_charset import charset_pipes
from schemas.items.faults import OWN_CODES

Model = TypeVar("Model", bound=BaseModel)

CODES = {
    "missing": "missing_parameter",
    "extra_forbidden": "unknown_parameter",
    "unknown_team": "unknown_team",
    "empty_filter": "empty_filter",
    "too_long": "invalid_parameter",  # pydantic's type for an array
    "too_short": "invalid_parameter",
}
MAX_PROBLEMS = 20  # in one response
MAX_VALUES = (
    10_000  # in the JSON body of a request that is not a bulk request; pydantic reports an error for each
)


def read_query(request: web.Request, model: type[Model]) -> Model:
    """Return the query parameters; raises NotAcceptable with every problem."""
    found, problems = parse_query(request.query, model)
    if problems or found is None:
        raise all_of(problems)
    return found


def parse_query(
    given: MultiMapping[str], model: type[Model], *, known: Sequence[str] | None = None, free: str = ""
) -> tuple[Model | None, list[NotAcceptable]]:
    """Read the query parameters as far as they can be read, and return every problem.

    `known`: the parameters of the request; None: all fields of the model. `free`: a further kind of
    parameter, written like `map.<column>`, which the caller reads. The model is None if a parameter without
    a default is missing or invalid.
    """
    known = tuple(model.model_fields) if known is None else known
    values = {name: given[name] for name in given if name in known}
    found, problems = _readable(values, model)
    names = dict.fromkeys(given)
    unknown = {name for name in names if name not in known and not _is_free(name, free)}
    listed = ", ".join((*known, free) if free else known) or "none"
    for name in islice(filter(unknown.__contains__, names), MAX_PROBLEMS):
        message = f"{name[:100]!r} is not a parameter of this request: it takes {listed}"
        problems.append(NotAcceptable(message, code="unknown_parameter", param=name))
    for name in names:
        if name not in unknown and len(given.getall(name)) > 1:
            message = f"{name} is given more than once: give it once"
            problems.append(NotAcceptable(message, code="duplicate_parameter", param=name))
    return found, problems[:MAX_PROBLEMS]


def _is_free(name: str, free: str) -> bool:
    prefix = free.partition("<")[0]
    return prefix != "" and name.startswith(prefix)


def _readable(values: dict[str, str], model: type[Model]) -> tuple[Model | None, list[NotAcceptable]]:
    """Return the model of the values that it accepts, and the problems of the others."""
    try:
        return model.model_validate_strings(values), []
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors(include_url=False)}
        problems = problems_of(error)
    with suppress(ValidationError):
        rest = {name: value for name, value in values.items() if name not in wrong}
        return model.model_validate_strings(rest), problems
    return None, problems


async def read_json(request: web.Request) -> object:
    """Return the body as JSON. Raises UnsupportedFormat, MalformedBody and what `read_pieces` raises."""
    settings = request.app[API].ctx.settings
    content_type = request.headers.get("Content-Type")
    require_json(request)
    limit = settings.max_request_bytes
    source = arriving(request.content.iter_any(), settings)
    pipe = pipeline_for(request, Pipeline(*charset_pipes(charset_of(content_type))))
    text = await read_whole(read_pieces(request, source, pipe, limit=limit, held=limit))
    if has_more_values(text, MAX_VALUES):
        message = f"the body has more than {MAX_VALUES} values: send bulk changes to POST /v1/bulk/…"
        raise BodyTooLarge(message, code="too_many_values")
    value = decode_line(text)
    if isinstance(value, Unreadable):
        raise MalformedBody(value.message.replace("The line", "The body"), code="invalid_json")
    return value


def require_json(request: web.Request) -> None:
    """Raise UnsupportedFormat if the body is not declared as JSON."""
    with suppress(UnsupportedFormat):
        if format_for(request.headers.get("Content-Type")) is Format.JSON:
            return
    raise UnsupportedFormat(
        "this endpoint accepts only application/json: declare it in Content-Type", param="Content-Type"
    )


def check(value: object, model: type[Model]) -> Model:
    """Return a value as the model; raises NotAcceptable with every problem."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise all_of(problems_of(error)) from None


def problems_of(error: ValidationError) -> list[NotAcceptable]:
    """Return the problems that pydantic found, each with its place in the request."""
    problems = []
    for detail in error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]:
        kind, place = detail["type"], path_of(detail["loc"])
        code = CODES.get(kind, kind if kind in OWN_CODES else "invalid_parameter")
        problems.append(NotAcceptable(_message(kind, place, detail["msg"]), code=code, param=place or None))
    return problems


@contextmanager
def gathering(problems: list[NotAcceptable]) -> Iterator[None]:
    """Add the problems of a NotAcceptable to `problems` instead of raising it."""
    try:
        yield
    except NotAcceptable as refused:
        problems.extend(refused.problems or (refused,))


def all_of(problems: Iterable[NotAcceptable]) -> NotAcceptable:
    """Return one error with all problems, and with the message and code of the first."""
    first, *rest = problems
    return NotAcceptable(first.message, code=first.code, param=first.param, problems=(first, *rest))


def path_of(location: Iterable[int | str]) -> str:
    """Return a location of pydantic as text, like `contacts[3].phone`."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path.encode("utf-8", "replace").decode()[:200]


def _message(kind: str, place: str, text: str) -> str:
    match kind:
        case "missing":
            return f"{place} is missing: the request needs it"
        case "model_type" | "model_attributes_type":
            return f"{place or 'the body'} must be a JSON object"
        case "extra_forbidden":
            return f"{place} is not a known field: leave it out"
        case _:
            text = text.removeprefix("Value error, ")  # pydantic's prefix to our own messages
            return f"{place or 'the body'}: {text[:1].lower()}{text[1:]}"
