"""What the middlewares put on a request for those further in."""

from collections.abc import Mapping

from aiohttp import web

from storage.entities.accounts import Account

REQUEST_ID = web.RequestKey("request_id", str)
ACCOUNT = web.RequestKey("account", Account)
LIMITS: web.RequestKey[Mapping[str, str]] = web.RequestKey("limits", Mapping)  # headers of the answer
STREAMING = web.RequestKey("streaming", bool)  # the answer has begun


def stream_headers(request: web.Request) -> dict[str, str]:
    """What the middlewares add to an answer, for one that is sent before it comes back to them."""
    return {"X-Request-Id": request[REQUEST_ID], **request.get(LIMITS, {})}
