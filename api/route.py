"""The type of a route, apart from the table in `api.routes`, so that handlers can import it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from schemas.callers import Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. A `public` one needs no key; a `bulk` one counts in the account's admission window.

    An `operator` one needs the key of the operator in place of that of an account. An `uncounted` one counts
    in no window. `scope` is what the key of an account must have; None: `read` for a GET, `write` for others.
    """

    method: str
    path: str
    handler: Handler
    public: bool = False
    bulk: bool = False
    operator: bool = False
    uncounted: bool = False
    scope: Scope | None = None
    any_scope: bool = False  # a key with any scope will do

    @property
    def needs(self) -> Scope | None:
        """The scope that the key must have; None: no key of an account, or one with any scope."""
        if self.public or self.operator or self.any_scope:
            return None
        return self.scope or (Scope.READ if self.method == "GET" else Scope.WRITE)


ROUTE_TABLE: web.AppKey[tuple[Route, ...]] = web.AppKey("route_table", tuple)
