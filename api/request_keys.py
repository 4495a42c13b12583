"""What the middlewares put on a request for those further in."""

from collections.abc import Mapping

from aiohttp import web

from storage.accounts import Account

REQUEST_ID = web.RequestKey("request_id", str)
ACCOUNT = web.RequestKey("account", Account)
LIMITS: web.RequestKey[Mapping[str, str]] = web.RequestKey(
    "limits", Mapping
)  # rate-limit headers of the answer
STREAMING = web.RequestKey("streaming", bool)  # the answer has begun
