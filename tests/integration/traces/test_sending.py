"""Processes send their spans where one variable says, and nothing there can harm them."""

import asyncio
import logging
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from schemas import traces
from schemas.settings import Settings
from storage.context import Context
from storage.telemetry.tracing import tracing
from tests.factories import phone
from tests.integration.api.service import Client, make_client
from tests.integration.traces.collector import collecting, silence
from tests.waiting import until

REPOSITORY = Path(__file__).parents[3]
PATIENCE = 30.0  # seconds for a process to start or to end
DEADLINE = 8.0  # seconds; the SDK alone would wait for 40 with four batches and a silent endpoint
OFF = """
import asyncio, sys
import api.app, worker.bells.process
from schemas.settings import Settings
from storage.telemetry.tracing import tracing

async def main():
    async with tracing(Settings(), "api"):
        print([name for name in sys.modules if name.startswith("opentelemetry")])

asyncio.run(main())
"""


@asynccontextmanager
async def running(module: str, settings: Settings, **variables: str) -> AsyncIterator[Process]:
    """Run a process of the service; end it by SIGTERM, as a process manager does."""
    assert settings.database_url
    assert settings.redis_url
    environment = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=REPOSITORY, env=environment | variables, stderr=PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            await process.communicate()


async def line_with(process: Process, pattern: str) -> str:
    """Return what a pattern finds in the first line of the log that has it."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        async for line in process.stderr:
            if found := re.search(pattern, line.decode()):
                return found[0]
    raise AssertionError("the process has ended")


async def test_processes_with_the_variable_send_one_trace(ctx: Context, settings: Settings) -> None:
    async with collecting() as collector:
        variable = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        async with running("api", settings, **variable) as api, running("worker", settings, **variable):
            url = await line_with(api, r"http://127.0.0.1:\d+")
            async with aiohttp.ClientSession(base_url=url) as session:
                client = await make_client(ctx, session)
                response = await client.submit_items([{"phone": phone(1)}], Prefer="wait=20")
                assert response.status == 200, response.body
        # at their end, both have sent what they had
    post, chunk = collector.named("POST /v1/bulk/{operation}")[0], collector.named("job.chunk")[0]
    assert collector.paths == {"/v1/traces"}
    assert (post.service, chunk.service) == ("bulklane-api", "bulklane-worker")
    assert (chunk.trace, chunk.parent) == (post.trace, post.id)
    assert chunk.attributes["bulklane.job"] == post.attributes["bulklane.job"] == response.json["id"]
    assert chunk.resource["service.version"]


async def test_processes_work_and_end_while_the_collector_is_silent(ctx: Context, settings: Settings) -> None:
    async with silence() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_BSP_SCHEDULE_DELAY": "10"}
        async with (
            running("api", settings, **variables) as api,
            running("worker", settings, **variables) as worker,
        ):
            url = await line_with(api, r"http://127.0.0.1:\d+")
            async with aiohttp.ClientSession(base_url=url) as session:
                client = await make_client(ctx, session)
                response = await client.submit_items([{"phone": phone(1)}], Prefer="wait=20")
                assert response.status == 200, response.body
    assert (api.returncode, worker.returncode) == (0, 0)


async def test_a_process_without_the_variable_does_not_load_the_sdk(settings: Settings) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OFF, cwd=REPOSITORY, env={}, stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate()
    assert output.decode().strip() == "[]", errors.decode()


@pytest.mark.parametrize(
    ("variables", "kept", "service"),
    [
        ({"OTEL_SERVICE_NAME": "contacts"}, 20, "contacts"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=of-all,team=crm"}, 20, "of-all"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0, ""),
        ({"OTEL_SDK_DISABLED": "true"}, 0, ""),
        ({"OTEL_TRACES_EXPORTER": "none"}, 0, ""),
    ],
)
async def test_the_variables_of_opentelemetry_have_their_usual_meaning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], kept: int, service: str
) -> None:
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=secret")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        await _record(collector.url, settings, 20)
    assert len(collector.spans) == kept
    assert {span.service for span in collector.spans} == ({service} if kept else set())
    assert not kept or collector.headers["x-key"] == "secret"


async def test_the_variables_may_stand_in_the_file_of_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    async with collecting() as collector:
        lines = f"OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}\nOTEL_SERVICE_NAME=of-the-file\n"
        (tmp_path / ".env").write_text(lines)
        with monkeypatch.context() as variables:  # takes back what `tracing` adds
            for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"):
                variables.setenv(name, "to be taken back")
                variables.delenv(name)
            await _record(Settings().otel_exporter_otlp_endpoint or "", settings, 1)
    assert [span.service for span in collector.spans] == ["of-the-file"]


async def test_a_variable_that_the_sdk_does_not_take_stops_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")  # less than a batch
    await _record("http://127.0.0.1:1", settings, 1)
    assert (
        "there are no traces: a variable OTEL_… is not valid: ValueError: max_export_batch_size"
        in caplog.text
    )


async def test_jobs_are_accepted_while_the_sdk_is_disabled(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    on = settings.model_copy(update={"otel_exporter_otlp_endpoint": "http://127.0.0.1:9"})
    async with tracing(on, "api"):
        response = await client.submit_items([{"phone": phone(1)}])
    assert response.status == 202, response.body


async def test_a_collector_that_refuses_is_logged_once(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    unused_tcp_port: int,
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with caplog.at_level(logging.INFO):
        async with asyncio.timeout(DEADLINE):
            await _record(url, settings, 5_000, until_logged=caplog)
    lines = [line.getMessage() for line in caplog.records if "traces: " in line.getMessage()]
    assert any("Connection refused" in line for line in lines)
    assert len(lines) == len({line.partition(",")[0] for line in lines})
    assert len(lines) <= 4


async def test_a_collector_that_is_silent_delays_the_end_of_a_process_by_seconds_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with silence() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        async with asyncio.timeout(DEADLINE):
            await _record(url, settings, 5_000)


async def _record(
    url: str, settings: Settings, count: int, until_logged: pytest.LogCaptureFixture | None = None
) -> None:
    async with tracing(settings.model_copy(update={"otel_exporter_otlp_endpoint": url}), "api"):
        for _ in range(count):
            with traces.request_span("GET /", None, {}):
                pass
        if until_logged is not None:
            await until(lambda: _is_logged(until_logged))
    assert not traces.are_on()


async def _is_logged(caplog: pytest.LogCaptureFixture) -> bool:
    return "traces: " in caplog.text
