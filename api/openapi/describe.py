"""Describe a handler: what it takes and responds with. The OpenAPI document is built from it.

    @describe(items=Items(key="contacts", model=ContactItem, most=1_000), responses={202: Job})
    async def create(request: web.Request) -> web.Response:

`describe` is for handlers that read their request themselves; `api.endpoint` describes and reads.

The docstring of the handler is the summary (its first line) and the description. What follows from the
route is not declared: path parameters, keys, the errors of keys, bodies, queries and limits, the headers of
bulk requests. A model is whatever pydantic makes a schema of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

H = TypeVar("H", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response that is no error: its JSON, and the other content types that it supports."""

    model: Any = None
    text: str = ""
    also: tuple[str, ...] = ()
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The items of a bulk body: the member that holds them, their model, and the most there may be.

    `needs`: fields that every item must have besides those that the model requires.
    """

    key: str
    model: Any
    most: int = 0  # 0: MAX_JSON_ITEMS of the settings
    needs: tuple[str, ...] = ()
    bare: bool = False  # the array may also be the body itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a handler takes and answers.

    `files`: content types of the body besides JSON. `errors`: statuses beyond those that follow from the
    route. `variants`: the values of the last path parameter, where each has a description of its own.
    """

    name: str | None = None  # the operationId; None: the name of the handler
    query: type[BaseModel] | None = None
    only: tuple[str, ...] | None = None  # the parameters of the query that it takes; None: all
    needs: tuple[str, ...] = ()  # those that it cannot do without, over what the model says
    renames: bool = False  # `map.<column>` besides
    body: Any = None
    items: Items | None = None
    files: tuple[str, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)  # bodies by what they show
    responses: Mapping[int, Any] = field(default_factory=dict)  # a Response or a model by status
    errors: tuple[int, ...] = ()
    summary: str | None = None  # in place of the docstring's
    text: str = ""  # before the rest of the docstring
    variants: Mapping[str, "Description"] = field(default_factory=dict)
    prefers: bool = False  # takes `Prefer: wait`, though it is no bulk request
    hidden: bool = False  # not a part of the API


DESCRIPTIONS: dict[Callable[..., Any], Description] = {}


def describe(**parts: Any) -> Callable[[H], H]:
    """Attach a Description of these parts to a handler; nothing else is done to it."""
    description = Description(**parts)

    def attach(handler: H) -> H:
        DESCRIPTIONS[handler] = description
        return handler

    return attach


def description_of(handler: Callable[..., Any]) -> Description:
    """What was declared; raises LookupError where nothing was."""
    try:
        return DESCRIPTIONS[handler]
    except KeyError:
        name = f"{handler.__module__}.{handler.__qualname__}"
        raise LookupError(f"{name} is not described: decorate it with @endpoint(…) or @describe(…)") from None
