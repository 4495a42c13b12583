"""The aiohttp application."""

import logging
from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from api.actions.operator.process_metrics import PROCESS_METRICS, ProcessMetrics
from api.html.render import PAGES
from api.html.render import install as install_pages
from api.html.session import FERNET
from api.http.connections import CONNECTIONS, Connections, most_connections
from api.http.context import API, BULK, SCOPES, UNCOUNTED, open_api
from api.http.memory import MEMORY, Memory
from api.http.workbook_room import WORKBOOKS, WorkbookRoom
from api.middleware import MIDDLEWARES
from api.middleware.authenticate import FAILED_KEYS, OPERATOR, PUBLIC, OperatorAccess
from api.middleware.errors import REPEATED
from api.middleware.failed_keys import FailedKeys
from api.middleware.refused import install
from api.middleware.security_headers import add_security_headers
from api.route import ROUTE_TABLE, Route
from api.routes import OPERATOR_PAGE_ROUTES, OPERATOR_ROUTES, PAGE_ROUTES, ROUTES
from schemas.callers import Scope
from schemas.settings import Settings
from storage.background import beside
from storage.repeated_log import RepeatedLog
from storage.telemetry.tracing import tracing

# Here any text is an id, also `bulk`: a GET of it is a 404 of an unknown contact, not a 405.
ANY_TEXT = frozenset({"/v1/contacts"})


def make_app(settings: Settings) -> web.Application:
    """Make the application; it connects to PostgreSQL and Redis when it starts."""
    install()
    app = web.Application(middlewares=MIDDLEWARES)
    app.on_response_prepare.append(add_security_headers)
    install_pages(app)
    routes = ROUTES + (OPERATOR_ROUTES if settings.operator_key else ())
    pages = PAGE_ROUTES + (OPERATOR_PAGE_ROUTES if settings.operator_key else ())
    everything = (*routes, *pages)
    for route in everything:
        pattern = _pattern_of(route.path, everything)
        app.router.add_route(route.method, pattern, route.handler)
        if route.method == "GET":
            app.router.add_route("HEAD", pattern, route.handler)
    scopes: dict[object, Scope] = {route.handler: route.needs for route in everything if route.needs}
    app[PUBLIC] = frozenset(route.handler for route in everything if route.public)
    app[SCOPES] = scopes
    app[PAGES] = frozenset(route.handler for route in pages)
    if settings.operator_key:
        of_operator = [route.handler for route in everything if route.operator]
        app[OPERATOR] = OperatorAccess(settings.operator_key, of_operator)
    app[FERNET] = {}
    app[FAILED_KEYS] = FailedKeys(settings)
    app[BULK] = frozenset(route.handler for route in everything if route.bulk)
    app[UNCOUNTED] = frozenset(route.handler for route in everything if route.uncounted)
    app[REPEATED] = RepeatedLog(logging.getLogger("api"))
    app[ROUTE_TABLE] = routes
    app[MEMORY] = Memory(settings.request_memory_bytes)
    app[WORKBOOKS] = WorkbookRoom(settings.max_workbook_bytes)
    app[CONNECTIONS] = Connections(settings, most=most_connections())

    async def connect(app: web.Application) -> AsyncIterator[None]:
        async with tracing(settings, "api"), open_api(settings) as api:
            app[API] = api
            app[PROCESS_METRICS] = ProcessMetrics(api, app[CONNECTIONS], app[MEMORY])
            async with beside(app[CONNECTIONS].sweep_always()):
                yield

    app.cleanup_ctx.append(connect)
    app.on_shutdown.append(_end_waits)  # before aiohttp waits for the requests in progress
    return app


async def _end_waits(app: web.Application) -> None:
    app[API].hearing.close()


def _pattern_of(path: str, routes: Sequence[Route]) -> str:
    """Return the pattern of a path. Its last parameter does not match what another route has in that place.

    Otherwise the methods of `/v1/jobs/{job_id}` would also be those of `/v1/jobs/cancel`.
    """
    folder, _, last = path.rpartition("/")
    if not last.startswith("{") or folder in ANY_TEXT:
        return path
    places = (route.path.rpartition("/") for route in routes)
    words = sorted({word for other, _, word in places if other == folder and not word.startswith("{")} - {""})
    return f"{folder}/{{{last[1:-1]}:(?!(?:{'|'.join(words)})$)[^{{}}/]+}}" if words else path
