"""/metrics of this api process, and where those of the workers are."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import RootModel

from api.actions.operator.process_metrics import PROCESS_METRICS
from api.endpoint import endpoint
from api.http.context import operator_pool
from api.openapi.describe import Response, describe
from schemas.wire.base import Wire
from storage.operator import workers


class MetricsTarget(Wire):
    """Addresses to ask for metrics, and the labels of what is found there."""

    targets: list[str]
    labels: dict[str, str]


class MetricsTargets(RootModel[list[MetricsTarget]]):
    """All of them, as an array: Prometheus reads no other JSON."""


@describe(responses={200: Response(text="The text format of Prometheus.", also=("text/plain",))})
async def show_metrics(request: web.Request) -> web.Response:
    """Show the metrics of this process in the text format of Prometheus. Also while PostgreSQL is away."""
    body = await request.app[PROCESS_METRICS].render()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


@endpoint(responses={200: MetricsTargets})
async def list_metrics_targets(request: web.Request) -> web.Response:
    """List where the workers serve their metrics, as Prometheus asks for it (`http_sd_configs`)."""
    rows = await workers.list_all(operator_pool(request))
    targets = [f"{row.host}:{row.metrics_port}" for row in rows if row.metrics_port is not None]
    found = MetricsTargets([MetricsTarget(targets=targets, labels={"role": "worker"})])
    return web.Response(text=found.model_dump_json(), content_type="application/json")
