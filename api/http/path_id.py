"""Read the id of a thing from the path of a request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web

from schemas.errors import NotFound

Id = TypeVar("Id")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathId(Generic[Id]):
    """A parameter of a path that names a thing of the account.

    `read` reads the id from the text; None: the text is no such id. `look_up` is asked where `read` finds
    nothing. `code` is that of the 404.
    """

    name: str
    param: str
    code: str
    read: Callable[[str], Id | None] = lambda _: None
    look_up: Callable[[web.Request, str], Awaitable[Id | None]] | None = None

    async def in_path(self, request: web.Request) -> Id:
        """The id in the path; raises NotFound."""
        text = request.match_info[self.param]
        id_ = self.read(text)
        if id_ is None and self.look_up is not None:
            id_ = await self.look_up(request, text)
        return self.found(request, id_)

    def found(self, request: web.Request, thing: Found | None) -> Found:
        """The thing that the path names; raises NotFound where it is None."""
        if thing is None:
            text = request.match_info[self.param][:100]
            raise NotFound(f"the account has no {self.name} {text!r}", code=self.code)
        return thing
