"""The state that handlers use: `Api` on the application, the account and the request id on the request."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web

from api.http.waiting import Ended
from schemas.ids import AccountId, WorkerId
from schemas.settings import Settings
from storage import migrations
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline.uploads import Uploads, keep_uploads
from storage.postgres.pool import Pool, open_pool
from storage.queue import Queue, connect
from storage.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The state of the process, which handlers get with `request.app[API]`."""

    ctx: Context
    ended: Ended
    uploads: Uploads


API = web.AppKey("api", Api)

# Set on a request by the middlewares.
REQUEST_ID = web.RequestKey("request_id", str)
ACCOUNT = web.RequestKey("account", Account)
LIMITS: web.RequestKey[Mapping[str, str]] = web.RequestKey("limits", Mapping)  # headers of the response
REFUSAL_STATUS = web.RequestKey("refusal_status", int)  # of NotAcceptable, if it is not 422
STREAMING = web.RequestKey("streaming", bool)  # the response has begun


def scope(request: web.Request) -> tuple[Pool, AccountId]:
    """Return the pool and the account: the first arguments of most storage functions."""
    return request.app[API].ctx.pool, request[ACCOUNT].id


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """Connect, wait until the schema is current, and run the background tasks."""
    database_url, redis_url = settings.required_urls()
    pool = await open_pool(database_url, size=settings.api_pool_size, name="bulklane-api")
    redis = connect(redis_url, queue_name=settings.queue_name)
    try:
        await migrations.wait_until_current(pool)
        ctx = Context(
            pool=pool,
            queue=Queue(redis),
            window=Window(redis),
            settings=settings,
            worker_id=WorkerId(uuid4()),
        )
        async with Ended(ctx.queue, pool) as ended, keep_uploads(pool) as uploads:
            yield Api(ctx=ctx, ended=ended, uploads=uploads)
    finally:
        await redis.aclose()
        await pool.close()


def stream_headers(request: web.Request) -> dict[str, str]:
    """Return the headers of the middlewares, for a response that starts before it returns to them."""
    return {"X-Request-Id": request[REQUEST_ID], **request.get(LIMITS, {})}
