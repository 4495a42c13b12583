"""A collector of OpenTelemetry: it keeps the spans that processes send over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSpan:
    """A span as it arrived; ids are hexadecimal. `parent` is empty if it has none."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


@dataclass(slots=True)
class Collector:
    """What has arrived: spans, and the headers of the last request."""

    port: int = 0
    spans: list[SentSpan] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[SentSpan]:
        """Return the spans with a name."""
        return [span for span in self.spans if span.name == name]

    async def take(self, request: web.Request) -> web.Response:
        """Keep the spans of a request."""
        sent = ExportTraceServiceRequest.FromString(await request.read())
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.paths.add(request.path)
        for of_resource in sent.resource_spans:
            resource = _values(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                self.spans += [_span(span, resource) for span in scope.spans]
        return web.Response()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Collect on a free port of the loopback interface."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/{path:.*}", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.port = runner.addresses[0][1]
        yield collector
    finally:
        await runner.cleanup()


@asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """Return the URL of a server that takes connections, reads nothing and answers nothing."""
    ended = asyncio.Event()

    async def wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        ended.set()
        server.close()


def _span(span: Any, resource: Mapping[str, Any]) -> SentSpan:
    return SentSpan(
        service=resource["service.name"],
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=_values(span.attributes),
        resource=resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}
