"""The state that handlers use: `Api` on the application, the account and the request id on the request."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from aiohttp import web

from api.feeds.event_feed import Feeds
from api.http.hearing import Hearing
from api.http.waiting import Ended
from schemas.callers import Caller, Scope
from schemas.errors import Unavailable
from schemas.ids import AccountId, WorkerId
from schemas.settings import Settings, shown_url
from schemas.trace_context import TracePlace, place_of
from schemas.traces import TraceSpan
from storage import migrations
from storage.access.key_uses import KeyUses, recording_uses
from storage.announcements import Announcer
from storage.background import beside, repeat
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline.receiving import Uploads, keep_uploads
from storage.postgres.pool import Pool, WatchedPool, close_pool, open_pool
from storage.queue import Queue, connect
from storage.watch import watching
from storage.windows.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The state of the process, which handlers get with `request.app[API]`."""

    ctx: Context
    hearing: Hearing
    uploads: Uploads
    key_uses: KeyUses
    schema_ready: asyncio.Event  # set once the database has the schema of this code
    pages: asyncio.Semaphore  # of downloads that are read at once; other requests have the other connections
    # of undos whose items are made: each holds one connection while it needs others
    undos: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @property
    def ended(self) -> Ended:
        """Waits for the ends of jobs."""
        return self.hearing.ended

    @property
    def feeds(self) -> Feeds:
        """The events of jobs."""
        return self.hearing.feeds


API = web.AppKey("api", Api)

logger = logging.getLogger(__name__)

# A request that waits for a lock keeps a connection from the requests of all other accounts. A worker holds
# the locks of a chunk for about a second. A 202 says that the job is on disk, also on a server whose own
# configuration does not wait for the disk.
SETTINGS = {"lock_timeout": "4s", "synchronous_commit": "on"}
# A statement on a half-open connection, whose other end is gone, reaches this limit. Statements that may take
# long have a higher one: see `transact` and `transaction`.
STATEMENT_SECONDS = 8.0
START_SECONDS = 2.0  # the first requests find the schema read, unless PostgreSQL is away
PAGES_SHARE = 4  # this part of the connections is for downloads
SCHEMA_SECONDS = 0.5  # between two attempts to read it

# the handlers that the admission window counts
BULK: web.AppKey[frozenset[object]] = web.AppKey("bulk", frozenset)

# the scope that each handler needs, if it needs one
SCOPES: web.AppKey[Mapping[object, Scope]] = web.AppKey("scopes", Mapping)

# the handlers that no window counts
UNCOUNTED: web.AppKey[frozenset[object]] = web.AppKey("uncounted", frozenset)

# Set on a request by the middlewares.
REQUEST_ID = web.RequestKey("request_id", str)
ACCOUNT = web.RequestKey("account", Account)
CALLER = web.RequestKey("caller", Caller)  # of every request with a valid key, also of the operator
JOB_ID = web.RequestKey("job_id", UUID)  # set by `new_job`: of the job that the request makes
UNFINISHED = web.RequestKey("unfinished", int)  # jobs of the account that have not ended; of bulk requests
LIMITS: web.RequestKey[Mapping[str, str]] = web.RequestKey("limits", Mapping)  # headers of the response
REFUSAL_STATUS = web.RequestKey("refusal_status", int)  # of NotAcceptable, if it is not 422
ERROR_HEADERS: web.RequestKey[Mapping[str, str]] = web.RequestKey("error_headers", Mapping)
# members of an error response beside the envelope: those of a problem type of RFC 9457
PROBLEM: web.RequestKey[Mapping[str, object]] = web.RequestKey("problem", Mapping)
TRACE: web.RequestKey[TraceSpan] = web.RequestKey("trace", TraceSpan)  # absent while traces are off
STREAMING = web.RequestKey("streaming", bool)  # the response has begun


def scope(request: web.Request) -> tuple[Pool, AccountId]:
    """Return the pool and the account: the first arguments of most storage functions."""
    return request.app[API].ctx.pool, request[ACCOUNT].id


def received_trace(request: web.Request) -> TracePlace | None:
    """Return the place in a trace that the client names, if it is valid."""
    headers = request.headers
    return place_of(headers.getall("traceparent", []), headers.getall("tracestate", []))


def trace_of(request: web.Request) -> str | None:
    """Return what a job of this request keeps of its trace: its span, or what the client has sent."""
    place = request[TRACE].place if TRACE in request else received_trace(request)
    return place.text if place else None


def changer_of(request: web.Request) -> Caller | None:
    """Return who changes a contact with this request; None: nothing is kept of the change."""
    return request[CALLER] if request.app[API].ctx.settings.keeps_images else None


def check_schema(request: web.Request) -> None:
    """Raise Unavailable until the database has the schema of this code."""
    if not request.app[API].schema_ready.is_set():
        raise Unavailable("the database was not reached yet, or is not migrated: send the request again")


def operator_pool(request: web.Request) -> Pool:
    """Return the pool, for the handlers of the operator. Raises Unavailable without a schema."""
    check_schema(request)
    return request.app[API].ctx.pool


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """Connect and run the background tasks. While PostgreSQL is away the api starts and answers with 503."""
    database_url, redis_url = settings.required_urls()
    pool = await open_pool(
        database_url,
        size=settings.api_pool_size,
        name="bulklane-api",
        command_seconds=STATEMENT_SECONDS,
        settings=SETTINGS,
    )
    redis = connect(redis_url, queue_name=settings.queue_name)
    schema_ready = asyncio.Event()
    try:
        ctx = _context_of(pool, Queue(redis), settings)
        async with (
            watching(pool, database_url),
            beside(_wait_for_schema(pool, schema_ready, shown_url(database_url))),
            beside(ctx.announcer.announce_changes()),
            Hearing(ctx.queue, pool) as hearing,
            keep_uploads(pool, ctx.announcer) as uploads,
            recording_uses(pool) as key_uses,
        ):
            with suppress(TimeoutError):
                await asyncio.wait_for(schema_ready.wait(), START_SECONDS)
            yield Api(
                ctx=ctx,
                hearing=hearing,
                uploads=uploads,
                key_uses=key_uses,
                schema_ready=schema_ready,
                pages=asyncio.Semaphore(max(settings.api_pool_size // PAGES_SHARE, 1)),
            )
    finally:
        await redis.aclose()
        await close_pool(pool)


def _context_of(pool: WatchedPool, queue: Queue, settings: Settings) -> Context:
    return Context(
        pool=pool,
        queue=queue,
        announcer=Announcer(queue.redis, queue.breaker),
        window=Window(queue.redis, queue.breaker),
        settings=settings,
        worker_id=WorkerId(uuid4()),
    )


async def _wait_for_schema(pool: Pool, ready: asyncio.Event, server: str) -> None:
    """Set `ready` when the database has the schema of this code."""

    async def wait() -> None:
        try:
            if not ready.is_set():
                await migrations.wait_until_current(pool)
                ready.set()
        except migrations.SchemaNotReady as error:
            logger.error("requests are refused: %s", error)

    await repeat(SCHEMA_SECONDS, wait, what=f"reading the schema of PostgreSQL at {server}")


def stream_headers(request: web.Request) -> dict[str, str]:
    """Return the headers of the middlewares, for a response that starts before it returns to them."""
    return {"X-Request-Id": request[REQUEST_ID], **request.get(LIMITS, {})}
