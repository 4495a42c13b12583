"""Cursor pages: `limit` and `cursor` of a request."""

from aiohttp import web

from schemas.errors import NotAcceptable


def read_limit(request: web.Request, *, default: int, most: int) -> int:
    """How many entries to answer; raises NotAcceptable."""
    text = request.query.get("limit", str(default))
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most:
        return int(text)
    raise NotAcceptable(f"limit is a number from 1 to {most}", param="limit")


def read_cursor(request: web.Request) -> int:
    """The index after which to go on, -1 at the beginning; raises NotAcceptable."""
    text = request.query.get("cursor")
    if text is None:
        return -1
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise NotAcceptable("cursor is the next_cursor of another page", param="cursor")
