"""Describe the requests and responses of a handler. The OpenAPI document is built from the descriptions.

    @describe(items=Items(key="contacts", model=ContactItem, most=1_000), responses={202: Job})
    async def create(request: web.Request) -> web.Response:

`describe` is for handlers that read their request themselves; `api.endpoint` describes and reads.

The docstring of the handler is the summary (its first line) and the description. Parts that follow from the
route are not declared: path parameters, keys, the errors of keys, bodies, queries and limits, the headers of
bulk requests. A model is any type of which pydantic can make a schema.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

H = TypeVar("H", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A successful response: the model of its JSON, and the other content types that it supports.

    `events`: it is a stream of server-sent events, whose data has this model, and can be resumed.
    """

    model: Any = None
    events: Any = None
    text: str = ""
    also: tuple[str, ...] = ()
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of a bulk body: the member that has them, their model, and their largest number.

    `needs`: fields that every item must have besides those that the model requires.
    """

    key: str
    model: Any
    most: int = 0  # 0: MAX_JSON_ITEMS of the settings
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The requests and responses of a handler.

    `files`: content types of the body besides JSON, or without JSON if there is neither `body` nor `items`.
    `errors`: statuses besides those that follow from the route. `variants`: a description for each
    value of the last path parameter.
    """

    name: str | None = None  # the operationId; None: the name of the handler
    query: type[BaseModel] | None = None
    only: tuple[str, ...] | None = None  # the query parameters that it accepts; None: all
    needs: tuple[str, ...] = ()  # required parameters besides those of the model
    renames: bool = False  # also accepts `map.<column>`
    body: Any = None
    items: Items | None = None
    files: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()  # those of REQUEST_HEADERS that do not follow from the route
    examples: Mapping[str, Any] = field(default_factory=dict)  # bodies by title
    responses: Mapping[int, Any] = field(default_factory=dict)  # a Response or a model by status
    errors: tuple[int, ...] = ()
    summary: str | None = None  # in place of the docstring's
    text: str = ""  # before the rest of the docstring
    variants: Mapping[str, "Description"] = field(default_factory=dict)
    prefers: bool = False  # accepts `Prefer: wait` although it is not a bulk request
    hidden: bool = False  # not part of the API


DESCRIPTIONS: dict[Callable[..., Any], Description] = {}


def describe(**parts: Any) -> Callable[[H], H]:
    """Decorate a handler with a Description of these parts; the handler stays the same."""
    description = Description(**parts)

    def attach(handler: H) -> H:
        DESCRIPTIONS[handler] = description
        return handler

    return attach


def description_of(handler: Callable[..., Any]) -> Description:
    """Return the description of a handler; raises LookupError if it has none."""
    try:
        return DESCRIPTIONS[handler]
    except KeyError:
        name = f"{handler.__module__}.{handler.__qualname__}"
        raise LookupError(f"{name} is not described: decorate it with @endpoint(…) or @describe(…)") from None
