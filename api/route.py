"""The type of a route, apart from the table of routes, so that what the table names can import it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `public` ones need no key, `bulk` ones count in the account's admission window."""

    method: str
    path: str
    handler: Handler
    public: bool = False
    bulk: bool = False


ROUTE_TABLE: web.AppKey[tuple[Route, ...]] = web.AppKey("route_table", tuple)
