"""The responses of handlers: one view, a page of views, a new resource, no content."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from api.http.path_id import PathId
from schemas.wire.base import Listing, View, Wire


def shown(view: Wire) -> web.Response:
    """Return a 200 with a view."""
    return _json(view, status=200, headers={})


def created(request: web.Request, view: Wire, id_: object) -> web.Response:
    """Return a 201 with the view of a new resource, and its Location."""
    return _json(view, status=201, headers={"Location": f"{request.path}/{id_}"})


def made(view: Wire, location: str) -> web.Response:
    """Return a 201 with the view of a new resource at another path."""
    return _json(view, status=201, headers={"Location": location})


def put(request: web.Request, view: Wire, *, new: bool) -> web.Response:
    """Return a 201 with the resource that the path names, and its Location, or a 200 if it existed."""
    return _json(view, status=201 if new else 200, headers={"Location": request.path} if new else {})


def queued(view: Wire) -> web.Response:
    """Return a 202 with a view of what is done later."""
    return _json(view, status=202, headers={})


def deleted(request: web.Request, path_id: PathId[Any], done: bool) -> web.Response:
    """Return a 204; raises NotFound if `done` is false, because there was nothing to delete."""
    path_id.found(request, done or None)
    return web.Response(status=204)


def page_of(views: Sequence[View], limit: int, cursor: Callable[[View], object]) -> web.Response:
    """Return a 200 with the first `limit` views, and the cursor of the last one if there are more."""
    following = str(cursor(views[limit - 1])) if len(views) > limit else None
    return shown(Listing[Any](data=list(views[:limit]), next_cursor=following))


def _json(view: Wire, *, status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(
        text=view.model_dump_json(), status=status, content_type="application/json", headers=headers
    )
