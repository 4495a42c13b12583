"""Declare an endpoint once: its path, query and body are the parameters of its handler.

    LabelId = Annotated[int, PathId(name="label", param="label_id", ...)]

    @endpoint(responses={200: Label}, errors=(409,))
    async def change_label(request: web.Request, label_id: LabelId, body: LabelChange) -> web.Response:

The decorator describes the handler for the OpenAPI document, and wraps it in an aiohttp handler that reads
and checks these parameters. A handler without `query` accepts no query.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ValidationError

from api.http.path_id import PathId
from api.http.validation import all_of, check, gathering, problems_of, read_json, read_query
from api.openapi.describe import describe
from api.route import Handler
from schemas.errors import NotAcceptable
from schemas.wire.query_models import NoQuery

Model = TypeVar("Model", bound=BaseModel)
Takes = Callable[..., Awaitable[web.StreamResponse]]  # a handler with the parameters that it declares
Resolve = Callable[[web.Request, Any], Awaitable[Any]]  # a value of the request -> what is stored for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked(Generic[Model]):
    """A JSON body that is checked by the handler, because the check needs stored data."""

    value: object
    model: type[Model]
    problems: tuple[NotAcceptable, ...]  # of the query

    def check(self, context: object) -> Model:
        """Return the body as the model, validated with `context`; raises NotAcceptable with every problem."""
        try:
            body = self.model.model_validate(self.value, context=context)
        except ValidationError as error:
            raise all_of([*self.problems, *problems_of(error)]) from None
        if self.problems:
            raise all_of(self.problems)
        return body


def endpoint(
    *,
    responses: Mapping[int, Any],
    errors: tuple[int, ...] = (),
    resolve: Mapping[str, Resolve] | None = None,
    examples: Mapping[str, Any] | None = None,
    prefers: bool = False,
) -> Callable[[Takes], Handler]:
    """Declare an endpoint; see `Description` for `responses`, `errors`, `examples` and `prefers`.

    `resolve` looks up fields of the body, or of the query where there is no body. It raises NotAcceptable,
    which is reported together with every other problem of the request.
    """

    def attach(function: Takes) -> Handler:
        inputs = _inputs_of(function, resolve or {})

        @describe(
            query=inputs.query,
            body=inputs.body,
            responses=responses,
            errors=errors,
            examples=examples or {},
            prefers=prefers,
        )
        @wraps(function)
        async def handler(request: web.Request) -> web.StreamResponse:
            return await function(request, **await inputs.read(request))

        return handler

    return attach


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The parameters that a handler takes besides the request."""

    path: Mapping[str, PathId[Any]]
    query: type[BaseModel]
    takes_query: bool
    body: type[BaseModel] | None
    unchecked: bool
    resolve: Mapping[str, Resolve]

    async def read(self, request: web.Request) -> dict[str, Any]:
        """Return the arguments of the handler; raises NotFound, and NotAcceptable with every problem."""
        arguments = {name: await path_id.in_path(request) for name, path_id in self.path.items()}
        problems: list[NotAcceptable] = []
        given: object = dict(request.query) if self.body is None else await read_json(request)
        with gathering(problems):
            query = read_query(request, self.query)
            if self.takes_query:
                arguments["query"] = query
        if self.body is not None and self.unchecked:
            arguments["body"] = Unchecked(value=given, model=self.body, problems=tuple(problems))
            return arguments
        if self.body is not None:
            with gathering(problems):
                arguments["body"] = check(given, self.body)
        resolved = await self._resolved(request, given, problems)
        if problems:
            raise all_of(problems)
        name = "query" if self.body is None else "body"
        return arguments | ({name: arguments[name].model_copy(update=resolved)} if resolved else {})

    async def _resolved(
        self, request: web.Request, given: object, problems: list[NotAcceptable]
    ) -> dict[str, Any]:
        """Return the fields that are looked up, except those that already have a problem."""
        wrong = {problem.param for problem in problems}
        resolved: dict[str, Any] = {}
        for name, resolve in self.resolve.items():
            if isinstance(given, dict) and given.get(name) is not None and name not in wrong:
                with gathering(problems):
                    resolved[name] = await resolve(request, given[name])
        return resolved


def _inputs_of(function: Takes, resolve: Mapping[str, Resolve]) -> Inputs:
    """Return the inputs that a signature declares; raises TypeError for a parameter that cannot be read."""
    hints = get_type_hints(function, include_extras=True)
    path: dict[str, PathId[Any]] = {}
    for name in list(inspect.signature(function).parameters)[1:]:
        if name not in {"query", "body"}:
            path[name] = _path_id_of(function, name, hints[name])
    body = hints.get("body")
    unchecked = get_origin(body) is Unchecked
    return Inputs(
        path=path,
        query=hints.get("query", NoQuery),
        takes_query="query" in hints,
        body=get_args(body)[0] if unchecked else body,
        unchecked=unchecked,
        resolve=resolve,
    )


def _path_id_of(function: Takes, name: str, hint: Any) -> PathId[Any]:
    if get_origin(hint) is Annotated:
        for mark in hint.__metadata__:
            if isinstance(mark, PathId):
                return mark
    raise TypeError(
        f"{function.__qualname__}: {name} is neither query nor body and has no PathId: annotate it with one"
    )
