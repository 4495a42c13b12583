"""Cursor pages: the page that is answered."""

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from schemas.wire.base import Listing, View


def page_of(views: Sequence[View], limit: int, cursor: Callable[[View], object]) -> web.Response:
    """The first `limit` of what was looked up with room for one more, and the cursor of the last of them."""
    following = str(cursor(views[limit - 1])) if len(views) > limit else None
    text = Listing[Any](data=list(views[:limit]), next_cursor=following).model_dump_json()
    return web.Response(text=text, content_type="application/json")
