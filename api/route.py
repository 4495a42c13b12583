"""The type of a route, apart from the table in `api.routes`, so that handlers can import it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. A `public` one needs no key; a `bulk` one counts in the account's admission window.

    An `operator` one needs the key of the operator in place of that of an account. An `uncounted` one counts
    in no window.
    """

    method: str
    path: str
    handler: Handler
    public: bool = False
    bulk: bool = False
    operator: bool = False
    uncounted: bool = False


ROUTE_TABLE: web.AppKey[tuple[Route, ...]] = web.AppKey("route_table", tuple)
