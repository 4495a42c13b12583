"""Every error has the same envelope, and every response has a request id."""

import re

import aiohttp
import pytest

from api.http.context import SETTINGS
from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import UPSERT, Client, Service, make_client, serve
from tests.integration.api.work import work

REQUEST_ID = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")


async def test_the_envelope_has_type_code_message_and_request_id(client: Client) -> None:
    response = await client.submit(b"nonsense", "application/json")
    assert response.status == 400
    assert set(response.json) == {"error"}
    assert set(response.error) == {"type", "code", "message", "request_id"}
    assert response.error["type"] == "invalid_request_error"
    assert response.error["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/v1/jobs", 200),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/nowhere", 404),
        ("GET", "/v1/jobs/nonsense", 404),
        ("GET", "/v1/jobs/%00", 404),
        ("GET", "/v1/jobs/job_" + "Z" * 26, 404),
        ("GET", "/v1/jobs/job_%C3%A9" + "0" * 25, 404),
        ("DELETE", "/v1/jobs", 405),
        ("GET", UPSERT, 405),
        ("PATCH", UPSERT, 405),
        ("POST", UPSERT, 415),
    ],
)
async def test_every_response_has_a_request_id(client: Client, method: str, path: str, status: int) -> None:
    response = await client.call(method, path, skip_auto_headers=["Content-Type"])
    assert response.status == status
    assert REQUEST_ID.fullmatch(response.headers["X-Request-Id"])
    if status >= 400:
        assert response.error["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("what", ["errors", "results"])
async def test_a_stream_has_a_request_id(ctx: Context, client: Client, what: str, accept: str) -> None:
    response = await client.submit_items([contact(1)])
    await work(ctx)
    stream = await client.get(f"{response.headers['Location']}/{what}", Accept=accept)
    assert (stream.status, stream.headers["Content-Type"]) == (200, f"{accept}; charset=utf-8")
    assert REQUEST_ID.fullmatch(stream.headers["X-Request-Id"])


async def test_the_clients_own_request_id_is_ignored(client: Client) -> None:
    response = await client.get("/v1/jobs", X_Request_Id="req_mine")
    assert REQUEST_ID.fullmatch(response.headers["X-Request-Id"])


async def test_an_unknown_path_needs_no_key(session: aiohttp.ClientSession) -> None:
    async with session.get("/nowhere") as response:
        assert response.status == 404
        error = (await response.json())["error"]
        assert (error["type"], error["code"]) == ("not_found", "unknown_path")


async def test_a_405_lists_the_allowed_methods(client: Client) -> None:
    response = await client.call("DELETE", "/v1/jobs")
    assert (response.status, response.error["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD"


async def test_a_failed_stream_breaks_the_connection(ctx: Context, service: Service, client: Client) -> None:
    """A second response inside the first one would look like data."""
    response = await client.submit_items([{"phone": "12"}] * 5)
    await work(ctx)
    await ctx.pool.execute("ALTER TABLE item_errors DROP COLUMN value CASCADE")
    with pytest.raises(aiohttp.ClientError):
        await client.get(f"{response.headers['Location']}/errors", Accept="text/csv")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=%C2%B2",
        "cursor=x",
        "cursor=5",
        "state=done",
        "state=%00",
        "operation=contacts.explode",
        "operation=%00",
        "since=yesterday",
        "since=2026-01-01",
        "since=2026-01-01T00:00:00",
        "since=0001-01-01T00:00:00%2B14:00",
        "since=%00",
    ],
)
async def test_an_invalid_filter_of_the_list_is_refused(client: Client, query: str) -> None:
    response = await client.get(f"/v1/jobs?{query}")
    name = query.partition("=")[0]
    place = "state[0]" if name == "state" else name  # a list
    assert (response.status, response.error["param"]) == (422, place)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "cursor=-1", "cursor=x", "cursor=99999999999"])
@pytest.mark.parametrize("what", ["errors", "results"])
async def test_an_invalid_page_is_refused(client: Client, what: str, query: str) -> None:
    response = await client.submit_items([contact(1)])
    response = await client.get(f"{response.headers['Location']}/{what}?{query}")
    assert (response.status, response.error["param"]) == (422, query.partition("=")[0])


@pytest.mark.parametrize("wait", ["-1", "x", "1.5", "%C2%B2"])
async def test_an_invalid_wait_is_refused(client: Client, wait: str) -> None:
    response = await client.submit_items([contact(1)])
    response = await client.get(f"{response.headers['Location']}?wait={wait}")
    assert (response.status, response.error["param"]) == (422, "wait")


async def test_a_lock_timeout_is_a_503(
    ctx: Context, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "lock_timeout", "100ms")
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        made = (await client.call("POST", "/v1/contact-lists", json={"name": "L"})).json["id"]
        async with ctx.pool.acquire() as conn, conn.transaction():
            await conn.execute("UPDATE contact_lists SET contact_count = 1")
            response = await client.call("PATCH", f"/v1/contact-lists/{made}", json={"name": "M"})
    assert (response.status, response.error["code"]) == (503, "unavailable")
    assert int(response.headers["Retry-After"]) >= 1
