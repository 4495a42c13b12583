"""Read the id of a resource from the path of a request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import web

from schemas.errors import NotFound

Id = TypeVar("Id")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathId(Generic[Id]):
    """A parameter of a path that names a resource of the account.

    `read` reads the id from the text; None: the text is not such an id. `look_up` is called if `read` returns
    None. `code` is the code of the 404, `of` how its message begins.
    """

    name: str
    param: str
    code: str
    of: str = "the account has"
    read: Callable[[str], Id | None] = lambda _: None
    look_up: Callable[[web.Request, str], Awaitable[Id | None]] | None = None

    async def in_path(self, request: web.Request) -> Id:
        """Return the id in the path; raises NotFound."""
        text = request.match_info[self.param]
        if "\0" in text:  # PostgreSQL stores none, and refuses a statement that has one
            return self.found(request, None)
        id_ = self.read(text)
        if id_ is None and self.look_up is not None:
            id_ = await self.look_up(request, text)
        return self.found(request, id_)

    def found(self, request: web.Request, resource: Found | None) -> Found:
        """Return the resource that the path names; raises NotFound if it is None."""
        if resource is None:
            text = request.match_info[self.param][:100]
            raise NotFound(f"{self.of} no {self.name} {text!r}", code=self.code)
        return resource
