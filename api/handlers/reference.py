"""/openapi.json, /llms.txt and /docs: the OpenAPI document, a short text of it, and a page to try the API."""

import asyncio
import json
from importlib.util import find_spec
from pathlib import Path

from aiohttp import web

from api.http.context import API
from api.openapi.describe import Response, describe
from api.openapi.llms import llms_text
from api.route import ROUTE_TABLE, Route
from schemas.errors import NotFound
from schemas.settings import Settings


def _swagger_ui() -> Path:
    """Return the folder of Swagger UI without importing its package, which imports a template engine."""
    spec = find_spec("swagger_ui")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "static"


PAGE = Path(__file__).parents[1] / "openapi" / "page"
SWAGGER_UI = _swagger_ui()
# The files of the page. A name is looked up here and never becomes a path.
ASSETS = {
    "docs.css": PAGE / "docs.css",
    "docs.js": PAGE / "docs.js",
    "favicon-32x32.png": SWAGGER_UI / "favicon-32x32.png",
    "swagger-ui.css": SWAGGER_UI / "swagger-ui.css",
    "swagger-ui-bundle.js": SWAGGER_UI / "swagger-ui-bundle.js",
}
# The images of Swagger UI are data: URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {  # fixed: the type of .js varies by system, and a browser rejects a script of a wrong type
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}
REVALIDATE = "no-cache"  # cached, but revalidated: a new version must not use an old page
ASSET_SECONDS = 3600  # then revalidated, usually with a 304


@describe(responses={200: Response(model=dict[str, object], text="This document.")})
async def openapi(request: web.Request) -> web.Response:
    """Get the API as an OpenAPI 3.1 document."""
    # in a thread: the first build takes some hundred milliseconds
    body = await asyncio.to_thread(_document, request.app[ROUTE_TABLE], request.app[API].ctx.settings)
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": REVALIDATE})


@describe(hidden=True)
async def llms(request: web.Request) -> web.Response:
    """Serve what the API is and its endpoints as a short text."""
    body = await asyncio.to_thread(_document, request.app[ROUTE_TABLE], request.app[API].ctx.settings)
    return web.Response(text=llms_text(json.loads(body)), headers={"Cache-Control": REVALIDATE})


@describe(hidden=True)
async def docs(request: web.Request) -> web.FileResponse:
    """Serve the interactive page."""
    del request
    return _file(PAGE / "docs.html", REVALIDATE)


@describe(hidden=True)
async def docs_with_slash(request: web.Request) -> web.Response:
    """Send a browser to the page, whose links are relative."""
    del request
    return web.Response(status=308, headers={"Location": "../docs"})


@describe(hidden=True)
async def docs_asset(request: web.Request) -> web.FileResponse:
    """Serve a file of the interactive page."""
    path = ASSETS.get(request.match_info["asset"])
    if path is None:
        raise NotFound(f"there is nothing at {request.path}", code="unknown_path")
    return _file(path, f"public, max-age={ASSET_SECONDS}")


def _document(routes: tuple[Route, ...], settings: Settings) -> bytes:
    from api.openapi.build import document  # its library is a sixth of the time that an api needs to start

    return document(routes, settings)


def _file(path: Path, caching: str) -> web.FileResponse:
    headers = {
        "Content-Type": TYPES[path.suffix],
        "Cache-Control": caching,
        "Content-Security-Policy": POLICY,
    }
    return web.FileResponse(path, headers=headers)
