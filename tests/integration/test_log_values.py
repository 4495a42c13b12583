"""No value of a contact, no key and no body is in any log line or span, whatever happens to it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from schemas.logs import configure, name_worker
from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.service import Client, make_client, serve
from tests.integration.api.work import work, work_once
from tests.integration.traces.spans import recording, trace_of
from worker.operations.contacts_upsert import ContactsUpsert

MARK = "Zaphod-42"
PHONE = "+14155550142"
ITEM = {
    "phone": PHONE,
    "name": f"{MARK} name",
    "email": f"{MARK}@example.com",
    "external_id": f"{MARK} id",
    "metadata": {MARK: MARK},
    "ref": f"{MARK} ref",
}
WORKER = "0b0e0f5e-0000-0000-0000-000000000001"


@pytest.fixture
def log(settings: Settings) -> Iterator[io.StringIO]:
    """Log everything of the process as JSON, as `python -m api` and `-m worker` do with LOG_LEVEL=DEBUG."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure(settings.model_copy(update={"log_format": "json", "log_level": "DEBUG"}))
    name_worker(WORKER)
    stream = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers, root.level = handlers, level


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """Return the lines; each is a JSON object."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


def about(log: io.StringIO, text: str) -> dict[str, Any]:
    """Return the first line whose event has this text."""
    return next(line for line in lines(log) if text in line["event"])


def assert_no_values(log: io.StringIO, *more: str) -> None:
    """Assert that something was logged, and no value of the contacts."""
    text = log.getvalue()
    assert text
    for value in (MARK, PHONE, PHONE[1:], *more):
        assert value not in text, next(line for line in text.splitlines() if value in line)


async def test_what_clients_send_is_in_no_line(ctx: Context, settings: Settings, log: io.StringIO) -> None:
    settings = settings.model_copy(update={"operator_key": "operator-key-of-a-test"})
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        await _send_everything(client)
        await work(ctx)
        await _read_everything(client)
    assert_no_values(log, client.key, "operator-key-of-a-test")
    submitted = [line for line in lines(log) if line.get("route") == "/v1/bulk/{operation}"]
    accepted = next(line for line in submitted if line["status"] == 202)
    assert accepted["account"] == f"org_{client.account.id}"
    assert accepted["request_id"].startswith("req_")
    assert accepted["job"].startswith("job_")
    assert any(accepted["job"] in line["event"] for line in lines(log) if "ended" in line["event"])


async def test_what_clients_send_is_in_no_span(ctx: Context, settings: Settings, log: io.StringIO) -> None:
    with recording() as spans:
        async with (
            serve(settings) as service,
            aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
        ):
            client = await make_client(ctx, session)
            await _send_everything(client)
            await work(ctx)
            await _read_everything(client)
    texts = [span.to_json() for span in spans.all]
    assert len(texts) > 100
    for value in (MARK, PHONE, PHONE[1:], client.key):
        assert not [text for text in texts if value in text]
    assert_no_values(log, client.key)
    traced = {f"{trace_of(span):032x}" for span in spans.all}
    logged = {line["trace_id"] for line in lines(log) if "trace_id" in line}
    assert logged <= traced
    accepted = next(line for line in lines(log) if line.get("status") == 202)
    assert accepted["trace_id"] in traced


async def _send_everything(client: Client) -> None:
    """Send items that are good, bad, repeated, rejected and malformed, in all formats."""
    items = [ITEM, {**ITEM, "phone": MARK}, {**ITEM, "email": f"{MARK} no email"}, ITEM, {MARK: MARK}]
    place = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": f"{MARK} {PHONE}"}
    await client.submit_items(items, **place)
    await client.submit_items(items, "?dry_run=true")
    await client.submit_items([{**ITEM, "name": f"{MARK}\0"}])
    ndjson = "\n".join(map(json.dumps, items))
    await client.submit(f"{ndjson}\n{{{MARK}\n".encode(), "application/x-ndjson")
    await client.submit(f"phone,name,{MARK}\n{PHONE},{MARK},x\n".encode(), "text/csv")
    await client.submit(f"phone;name\n{PHONE};{MARK}\n".encode(), "text/csv")
    await client.submit(f'[{{"phone": "{MARK}'.encode(), "application/json")
    await client.submit(f"{MARK}".encode(), f"application/{MARK}")
    await client.call("POST", "/v1/contacts", json={"phoneNumber": MARK, "name": MARK})
    await client.call("POST", "/v1/contacts", json={"phoneNumber": PHONE, "name": MARK})


async def _read_everything(client: Client) -> None:
    for path in (
        f"/v1/contacts?search={MARK}",
        f"/v1/contacts/{PHONE}",
        f"/v1/contacts/{MARK}",
        f"/{MARK}",
        f"/v1/jobs?name={MARK}&state={MARK}",
        f"/v1/events?cursor={MARK}",
    ):
        await client.get(path)
    for job in await client.jobs():
        for kind in ("errors", "results"):
            await client.get(f"/v1/jobs/{job['id']}/{kind}", Accept="text/csv")
    await client.visit("GET", "/contacts", {"search": MARK})


async def test_an_error_that_an_item_causes_is_logged_without_it(
    ctx: Context, settings: Settings, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours whose text repeats the value, as that of `int("Zaphod")` would."""

    async def fail(*_: object) -> None:
        try:
            raise KeyError(ITEM["name"])
        except KeyError as error:
            raise ValueError(f"invalid value: {ITEM['name']} of {PHONE}") from error

    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        response = await client.submit_items([ITEM])
        with monkeypatch.context() as patched:
            patched.setattr(ContactsUpsert, "apply", fail)
            patched.setattr(ContactsUpsert, "apply_jobs", fail)
            await work_once(ctx)
    line = about(log, "counts a death")
    assert_no_values(log)
    assert "ValueError" in line["event"]
    assert "KeyError" in line["exception"]
    assert "in fail" in line["exception"]
    assert line["job"] == response.json["id"]
    assert line["account"] == f"org_{client.account.id}"
    assert line["worker"] == WORKER


async def test_an_error_of_the_schema_says_what_is_missing(
    ctx: Context, settings: Settings, log: io.StringIO
) -> None:
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        await ctx.pool.execute("ALTER TABLE contacts RENAME TO away")
        response = await client.get(f"/v1/contacts?search={MARK}")
        assert response.status == 500
    line = about(log, "traceback of")
    assert_no_values(log)
    assert 'relation "contacts" does not exist' in line["exception"]
    assert line["request_id"] == response.headers["X-Request-Id"]
    assert line["account"] == f"org_{client.account.id}"
