"""/operator/v1/workers, queue, health and slow: what runs, what waits, and the servers."""

from aiohttp import web

from api.actions.operator.operator_reports import read_health, read_queue, read_slow
from api.endpoint import endpoint
from api.http.context import API, check_schema, operator_pool
from api.http.operator_view import worker_view
from api.http.responses import shown
from schemas.wire.base import Listing
from schemas.wire.operator import HealthView, QueueView, SlowView, WorkerView
from storage.operator import workers


@endpoint(responses={200: Listing[WorkerView]})
async def list_workers(request: web.Request) -> web.Response:
    """List the worker processes with their signs of life, and the chunks that they are applying."""
    rows = await workers.list_all(operator_pool(request))
    return shown(Listing[WorkerView](data=[worker_view(row) for row in rows], next_cursor=None))


@endpoint(responses={200: QueueView})
async def get_queue(request: web.Request) -> web.Response:
    """Get the bells in Redis, and the queued job that was received first."""
    check_schema(request)
    return shown(await read_queue(request.app[API]))


@endpoint(responses={200: HealthView})
async def get_health(request: web.Request) -> web.Response:
    """Get the health of PostgreSQL and Redis, as this api process sees them. Also while one is away."""
    return shown(await read_health(request.app[API]))


@endpoint(responses={200: SlowView})
async def get_slow(request: web.Request) -> web.Response:
    """Get the accounts of the 200 jobs that wait longest, failing jobs, and waits for locks."""
    return shown(await read_slow(operator_pool(request)))
