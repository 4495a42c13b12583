"""The api's context, and what its process keeps beside: uploads under way, waiters for the end of jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web

from api.http.ended import Ended
from api.http.uploads import Uploads
from schemas.ids import WorkerId
from schemas.settings import Settings
from storage import migrations
from storage.context import Context
from storage.postgres.pool import open_pool
from storage.queue import Queue, connect
from storage.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What handlers need: get it with `request.app[API]`."""

    ctx: Context
    ended: Ended
    uploads: Uploads


API = web.AppKey("api", Api)


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """Connect, wait for the schema, and run the tasks beside."""
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
        async with Ended(redis) as ended, Uploads(pool) as uploads:
            yield Api(ctx=ctx, ended=ended, uploads=uploads)
    finally:
        await redis.aclose()
        await pool.close()
