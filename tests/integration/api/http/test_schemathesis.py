"""Schemathesis sends thousands of requests and checks each response against the OpenAPI document."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.inventory import PHONE_NUMBER_ID, fill
from tests.integration.api.service import make_client, serve
from tests.integration.api.tenant_calls import NAMED_IN_PATH
from tests.waiting import until
from tests.workers import unfinished

REPOSITORY = Path(__file__).parents[4]
ST = Path(sys.executable).parent / "st"
CASES = 2_000
EXAMPLES = 8  # of the fuzzing phase, per operation
NEVER_ACCEPTED = {"POST /v1/jobs/{job_id}/cancel"}  # most of its jobs have ended before the request
CONFIGURATION = """\
hooks = "tests.integration.api.schemathesis_hooks"
headers = {{ Authorization = "Bearer {key}" }}
continue-on-failure = true
request-timeout = 30

[generation]
max-examples = {examples}
deterministic = true
no-shrink = true
database = "none"
with-security-parameters = false

[[operations]] # in the last phases only: earlier deletions would leave no rows for the other operations
include-method = "DELETE"
phases.examples.enabled = false
phases.coverage.enabled = false

# an invalid item is an error of its job; the request is accepted
[[operations]]
include-tag = ["Bulk", "Partners", "Uploads"]
checks.negative_data_rejection.enabled = false

# hundreds of similar cases each: preferences.set, bulk_label and single contacts cover them
[[operations]]
include-path-regex = "^/v1/bulk/(contacts|labels|lists|audiences)|^/v1/contacts/(bulk|lists|add-to)"
phases.coverage.enabled = false

[checks]
enabled = false
not_a_server_error.enabled = true
status_code_conformance.enabled = true
content_type_conformance.enabled = true
response_headers_conformance.enabled = true
response_schema_conformance.enabled = true
negative_data_rejection.enabled = true
missing_required_header.enabled = true
unsupported_method.enabled = true
allow_header_conformance.enabled = true
ignored_auth.enabled = true
use_after_free.enabled = true
ensure_resource_availability.enabled = true
"""
IDS = """
[dictionaries.{kind}]
values = {values}
"""
PARAMETER = '"{place}" = {{ dictionary = "{kind}", probability = 0.5 }}\n'
PLACES = {  # of ids and values: half of the cases use existing ones
    **{f"path.{name}": kind for name, kind in NAMED_IN_PATH.items()},
    "header.Prefer": "prefer",
    "query.region": "region",
    "query.preference": "preference",
    "query.opt_in_to": "channel",
    "query.list_id": "list",
    "query.label_id": "label",
    "query.audience_id": "audience",
    "body.communication_preference": "preference",
    "body.label_id": "label",
    "body.audienceId": "audience",
    "body.contact_ids[*]": "contact",
    "body.contactIds[*]": "contact",
    "body.contacts[*].phone": "phone",
    "body.phone_numbers[*]": "phone",
    "body.phoneNumber": "phone",
}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_response_fits_the_openapi_document(
    settings: Settings, ctx: Context, tmp_path: Path
) -> None:
    unlimited = {"read_limit": 0, "failed_key_limit": 0, "max_unfinished_jobs": 10**6}
    settings = settings.model_copy(update=unlimited)
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
        _worker(settings),
    ):
        service.api.feeds.close()  # so that streams of events end: schemathesis reads whole responses
        client = await make_client(ctx, session, phone_number_id=PHONE_NUMBER_ID)
        known = await fill(client)
        (tmp_path / "schemathesis.toml").write_text(_configuration(client.key, known))
        document = await client.get("/openapi.json")
        (tmp_path / "openapi.json").write_bytes(document.body)
        report = await _run(tmp_path, f"http://127.0.0.1:{service.port}")
        await until(lambda: _all_ended(ctx), seconds=30)
    assert report["failures"] == []
    assert report["errors"] == []
    assert report["operations"]["tested"] == report["operations"]["total"]
    assert _never_accepted(report) <= NEVER_ACCEPTED
    assert report["test_cases"]["generated"] - report["test_cases"]["without_checks"] >= CASES


def _never_accepted(report: Any) -> set[str]:
    """Return the operations whose requests were all refused, so that no other response was checked."""
    return {
        label
        for label, phases in report["valid_rates"].items()
        if not any(rates["accepted"] for rates in phases.values())
    }


async def _all_ended(ctx: Context) -> bool:
    return not await unfinished(ctx)


@asynccontextmanager
async def _worker(settings: Settings) -> AsyncIterator[None]:
    """Run a worker process with its background tasks."""
    assert settings.database_url is not None
    assert settings.redis_url is not None
    environment = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    # nothing is sent to the hosts of generated webhooks, and no name of them is looked up
    environment |= {"WEBHOOK_HOSTS": '["webhook.invalid"]', "WEBHOOK_RETRY_SECONDS": "[0.001]"}
    async with _process(sys.executable, "-m", "worker", environment=environment):
        yield


@asynccontextmanager
async def _process(*words: str | Path, environment: dict[str, str]) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *words, cwd=REPOSITORY, env={"PATH": os.environ["PATH"], **environment}, stdout=PIPE, stderr=STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


def _configuration(key: str, known: dict[str, list[Any]]) -> str:
    text = CONFIGURATION.format(key=key, examples=EXAMPLES)
    text += "".join(IDS.format(kind=kind, values=json.dumps(values)) for kind, values in known.items())
    text += "\n[parameters]\n"
    return text + "".join(PARAMETER.format(place=place, kind=kind) for place, kind in PLACES.items())


async def _run(folder: Path, url: str) -> Any:
    """Run schemathesis in its own process against the service in this one, and return its report."""
    report = folder / "report.json"
    words = (
        ST, "--config-file", folder / "schemathesis.toml", "run", folder / "openapi.json",
        "--url", url, "--report-json-path", report, "--no-color",
    )  # fmt: skip
    async with _process(*words, environment={"HOME": str(folder), "PYTHONPATH": str(REPOSITORY)}) as process:
        output, _ = await process.communicate()
    print(output.decode())  # shown if the test fails
    return json.loads(report.read_text())
