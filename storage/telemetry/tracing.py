"""Traces of a process: on while OTEL_EXPORTER_OTLP_ENDPOINT is set, and harmless whatever is there.

Spans wait in a queue of bounded length. A thread sends them; what does not fit is dropped. The variables of
OpenTelemetry have their usual meaning, because its SDK reads them.
"""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from dotenv import dotenv_values

from schemas import traces
from schemas.ids import WorkerId
from schemas.settings import Settings
from storage.background import beside, repeat
from storage.garbage import freeze_loaded, loading
from storage.repeated_log import RepeatedLog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from storage.telemetry.recorder import SpanRecorder

SHUTDOWN_SECONDS = 2.0  # to send the last spans
TELL_SECONDS = 1.0  # the SDK hears of spans that have ended
OFF = {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"}
SDK = logging.getLogger("opentelemetry")
SDK.addHandler(logging.NullHandler())
SILENT = logging.CRITICAL + 1
logger = logging.getLogger(__name__)


class _Started(NamedTuple):
    provider: "TracerProvider"
    recorder: "SpanRecorder"


@asynccontextmanager
async def tracing(settings: Settings, role: str, worker_id: WorkerId | None = None) -> AsyncIterator[None]:
    """Record and send the spans of this process while the body runs, if the settings say so.

    `role` (api or worker) makes the name of the service, unless OTEL_SERVICE_NAME does. `worker_id` is
    the id of a worker, as the operator sees it.
    """
    if not settings.otel_exporter_otlp_endpoint:
        yield
        return
    _read_env_file(settings)
    calm = _CalmLog()
    SDK.addHandler(calm)
    SDK.propagate = False
    SDK.setLevel(logging.NOTSET)
    started = _start_if_valid(role, worker_id)
    try:
        if started is None:
            yield
        else:
            async with beside(_tell_always(started.recorder)):
                yield
    finally:
        traces.use(None)
        if started is not None:
            started.recorder.tell()
            await _end(started.provider)
        SDK.removeHandler(calm)
        SDK.setLevel(SILENT)  # its threads may still try to send


def _read_env_file(settings: Settings) -> None:
    """Add the variables of OpenTelemetry that stand in `.env`: the SDK reads the environment alone."""
    file = settings.model_config.get("env_file")
    for name, value in dotenv_values(str(file)).items():
        if name.startswith("OTEL_") and value is not None:
            os.environ.setdefault(name, value)


async def _tell_always(recorder: "SpanRecorder") -> None:
    async def tell() -> None:
        recorder.tell()

    await repeat(TELL_SECONDS, tell, what="traces")


def _start_if_valid(role: str, worker_id: WorkerId | None) -> _Started | None:
    """Start to record. A variable that the SDK does not take stops no work: there are no traces then.

    Nor are there any with OTEL_SDK_DISABLED=true, where the SDK would return spans that are in no trace, and
    with OTEL_TRACES_EXPORTER=none, which it reads in a start of its own only.
    """
    if any(os.environ.get(name, "").strip().lower() == value for name, value in OFF.items()):
        return None
    try:
        return _start(role, worker_id)
    except Exception as error:
        text = "there are no traces: a variable OTEL_… is not valid: %s: %s"
        logger.error(text, type(error).__name__, error)
        return None


def _start(role: str, worker_id: WorkerId | None) -> _Started:
    with loading():  # here, so that a process without traces does not load the SDK
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from storage.telemetry.recorder import SpanRecorder
    freeze_loaded()  # the process has done so already, but without the SDK

    release = version("bulklane")
    ours = {"service.name": f"bulklane-{role}", "service.version": release}
    if worker_id is not None:
        ours["service.instance.id"] = str(worker_id)
    told = OTELResourceDetector().detect().attributes  # OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
    provider = TracerProvider(resource=Resource.create({**ours, **told}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    recorder = SpanRecorder(provider.get_tracer("bulklane", release))
    traces.use(recorder)
    return _Started(provider, recorder)


async def _end(provider: "TracerProvider") -> None:
    """Send the last spans, for SHUTDOWN_SECONDS at most. The SDK would wait longer for a dead endpoint.

    The thread is a daemon, so the end of the process does not wait for it either.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=shut_down, name="end-of-traces", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            await ended.wait()


class _CalmLog(logging.Handler):
    """Logs what the SDK says of failed exports: the first line of each kind, and the others as a sum."""

    def __init__(self) -> None:
        super().__init__()
        self._repeated = RepeatedLog(logger)
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line from the thread that sends to the event loop."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._log, record.getMessage(), f"traces: {record.msg}")

    def _log(self, message: str, kind: str) -> None:
        self._repeated.log(logging.WARNING, kind, "traces: %s", message)
