"""What the handlers of lists, labels, teams, channels, audiences and properties do alike."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from api.http.context import ACCOUNT, API
from api.http.validation import all_of, check, gathering, read_json, read_query
from schemas.errors import NotAcceptable, NotFound
from schemas.ids import AccountId
from schemas.wire.base import Wire
from schemas.wire.queries import NoQuery
from storage.postgres.pool import Pool

Id = TypeVar("Id")
Found = TypeVar("Found")
Resolve = Callable[[web.Request, Any], Awaitable[Any]]  # a value of the body → what is stored for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun(Generic[Id]):
    """What a path names: its parameter, how that is read (None: it is no such id), and the code of a 404."""

    name: str
    param: str
    read: Callable[[str], Id | None]
    code: str

    def id_in(self, request: web.Request) -> Id:
        """The id in the path; raises NotFound."""
        return self.found(request, self.read(request.match_info[self.param]))

    def id_alone(self, request: web.Request) -> Id:
        """The same where the path says all: raises NotAcceptable for a query."""
        id_ = self.id_in(request)
        read_query(request, NoQuery)
        return id_

    def found(self, request: web.Request, thing: Found | None) -> Found:
        """What was looked up by the path, if there is such a thing; raises NotFound."""
        if thing is None:
            text = request.match_info[self.param][:100]
            raise NotFound(f"the account has no {self.name} {text!r}", code=self.code)
        return thing


def scope(request: web.Request) -> tuple[Pool, AccountId]:
    """Where to look, and for whom: the first arguments of every function of storage."""
    return request.app[API].ctx.pool, request[ACCOUNT].id


async def read_columns(
    request: web.Request, model: type[BaseModel], resolve: Mapping[str, Resolve] | None = None
) -> dict[str, Any]:
    """The fields that the body gives, some of them resolved; raises NotAcceptable with every problem."""
    problems: list[NotAcceptable] = []
    columns: dict[str, Any] = {}
    body = await read_json(request)
    with gathering(problems):
        read_query(request, NoQuery)
    with gathering(problems):
        columns = check(body, model).model_dump(exclude_unset=True)
    wrong = {problem.param for problem in problems}
    for name, resolved in (resolve or {}).items():
        if isinstance(body, dict) and body.get(name) is not None and name not in wrong:
            with gathering(problems):
                columns[name] = await resolved(request, body[name])
    if problems:
        raise all_of(problems)
    return columns


def created(request: web.Request, view: Wire, id_: object) -> web.Response:
    """201, and where the new thing is to be found."""
    return _json(view, status=201, headers={"Location": f"{request.path}/{id_}"})


def shown(view: Wire) -> web.Response:
    """200."""
    return _json(view, status=200, headers={})


def deleted(request: web.Request, noun: Noun[Any], done: bool) -> web.Response:
    """204, or NotFound where there was nothing to delete."""
    noun.found(request, done or None)
    return web.Response(status=204)


def _json(view: Wire, *, status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(
        text=view.model_dump_json(), status=status, content_type="application/json", headers=headers
    )
