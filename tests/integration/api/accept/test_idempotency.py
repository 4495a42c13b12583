"""Idempotency-Key: a repeated request returns the job of the first one."""

import asyncio
import gzip
import json

import aiohttp
import jsonschema_rs
import pytest
from aiohttp.test_utils import make_mocked_request

from api.accept.idempotency import read_key
from api.openapi.components import REQUEST_HEADERS
from schemas.errors import NotAcceptable
from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact
from tests.integration.api.raw_upload import until_true, upload
from tests.integration.api.service import UPSERT, Client, Response, Service, make_client, serve
from tests.integration.api.work import work

KEY = "2f1c8a8e-5f0b-4c7e-9d5a-0d3c1c0e7d11"
ITEMS = json.dumps([contact(1), contact(2)]).encode()
LONG_CSV = b"phone,name\n" + b"".join(b"+1415%07d,N\n" % (2_000_000 + n) for n in range(90_000))  # two parts


async def send(client: Client, body: bytes = ITEMS, **headers: str) -> Response:
    return await client.submit(body, "application/json", Idempotency_Key=KEY, **headers)


async def count(ctx: Context, table: str = "jobs") -> int:
    number: int = await ctx.pool.fetchval(f"SELECT count(*) FROM {table}")
    return number


async def test_a_repeated_request_returns_the_same_job(ctx: Context, client: Client) -> None:
    first, again = await send(client), await send(client)
    assert (first.status, again.status) == (202, 202)
    assert again.json["id"] == first.json["id"]
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    await work(ctx)
    ended = await send(client)
    assert (ended.status, ended.json["state"]) == (202, "completed")
    assert (await count(ctx), await count(ctx, "contacts")) == (1, 2)


async def test_a_repeated_request_can_wait_for_the_end(ctx: Context, client: Client) -> None:
    first = await send(client)
    await work(ctx)
    again = await send(client, Prefer="wait=5")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.headers["Bulklane-Job"] == first.json["id"]


async def test_a_repeated_request_may_change_the_encoding_but_not_the_content(
    ctx: Context, client: Client
) -> None:
    first = await send(client)
    zipped = await send(client, gzip.compress(ITEMS), Content_Encoding="gzip")
    assert zipped.json["id"] == first.json["id"]
    other = await send(client, ITEMS.replace(b"Name 1", b"Name 9"))
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reuse")
    assert other.error["param"] == "Idempotency-Key"
    assert await count(ctx) == 1


async def test_a_long_upload_can_be_repeated(ctx: Context, client: Client) -> None:
    responses = [
        await client.submit(LONG_CSV, "text/csv", Idempotency_Key=KEY),
        await client.submit(LONG_CSV, "text/csv", Idempotency_Key=KEY),
        await client.submit(LONG_CSV + b"+14159999999,N\n", "text/csv", Idempotency_Key=KEY),
    ]
    assert [response.status for response in responses] == [202, 202, 422]
    assert responses[0].json["id"] == responses[1].json["id"]
    assert (await count(ctx), await count(ctx, "parts")) == (1, 2)


@pytest.mark.parametrize("path", [f"{UPSERT}?region=IN", "/v1/contacts/bulk"])
async def test_another_query_or_path_is_another_request(client: Client, path: str) -> None:
    await send(client)
    headers = {"Content-Type": "application/json", "Idempotency-Key": KEY}
    body = ITEMS if "?" in path else b'{"contacts": %s}' % ITEMS
    response = await client.call("POST", path, data=body, headers=headers)
    assert (response.status, response.error["code"]) == (422, "idempotency_key_reuse")


async def test_a_request_that_is_still_being_received_is_a_conflict(
    ctx: Context, service: Service, client: Client
) -> None:
    async with upload(service, client, "application/json", idempotency_key=KEY) as slow:
        await slow.send(ITEMS[:10])
        await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'receiving'")
        early = await send(client)
        assert (early.status, early.error["code"]) == (409, "idempotency_in_progress")
        assert int(early.headers["Retry-After"]) >= 1
        await slow.send(ITEMS[10:])
        await slow.end()
        assert (await slow.response()).startswith(b"HTTP/1.1 202 ")
    later = await send(client)
    assert (later.status, later.headers["Idempotent-Replayed"]) == (202, "true")
    assert await count(ctx) == 1


async def test_a_refused_request_frees_its_key_and_stores_nothing(ctx: Context, client: Client) -> None:
    assert (await send(client, b"[]")).status == 422
    assert (await send(client, b'[{"phone"')).status == 400
    assert await count(ctx) == 0
    assert (await send(client)).status == 202


async def test_a_cut_upload_frees_its_key(ctx: Context, service: Service, client: Client) -> None:
    async with upload(service, client, "application/json", idempotency_key=KEY) as cut:
        await cut.send(ITEMS[:10])
        await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'receiving'")
        cut.writer.transport.abort()
        await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'failed'")
    response = await send(client)
    assert (response.status, "Idempotent-Replayed" in response.headers) == (202, False)


async def test_an_upload_whose_api_is_dead_does_not_hold_its_key(
    ctx: Context, service: Service, client: Client
) -> None:
    async with upload(service, client, "application/json", idempotency_key=KEY) as stopped:
        await stopped.send(ITEMS[:10])
        await until_true(ctx, "SELECT count(*) FROM jobs WHERE state = 'receiving'")
        await ctx.pool.execute("UPDATE jobs SET lease_until = now() - interval '1 s'")
        assert (await send(client)).status == 202
        await stopped.send(ITEMS[10:])  # its api was only stopped, and continues
        await stopped.end()
        assert (await stopped.response()).startswith(b"HTTP/1.1 409 ")
    states = await ctx.pool.fetch("SELECT state FROM jobs ORDER BY accepted_at NULLS FIRST")
    assert [row["state"] for row in states] == ["failed", "queued"]


async def test_a_key_belongs_to_its_account(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    other = await make_client(ctx, session)
    first, second = await send(client), await send(other)
    assert first.json["id"] != second.json["id"]


async def test_a_key_is_free_again_after_a_day(ctx: Context, client: Client) -> None:
    first = await send(client)
    await ctx.pool.execute("UPDATE jobs SET received_at = now() - interval '23 hours 59 minutes'")
    assert (await send(client)).json["id"] == first.json["id"]
    await ctx.pool.execute("UPDATE jobs SET received_at = now() - interval '24 hours 1 second'")
    assert (await send(client)).json["id"] != first.json["id"]


@pytest.mark.parametrize("body", [ITEMS, b"[" + b" " * 2_000_000 + ITEMS[1:]], ids=["short", "long"])
async def test_concurrent_repetitions_make_one_job(ctx: Context, client: Client, body: bytes) -> None:
    responses = await asyncio.gather(*(send(client, body) for _ in range(8)))
    accepted = [response.json["id"] for response in responses if response.status == 202]
    assert len(set(accepted)) == 1
    refused = {(response.status, response.error["code"]) for response in responses if response.status != 202}
    assert refused <= {(409, "idempotency_in_progress")}
    assert await count(ctx) == 1


@pytest.mark.parametrize(
    ("bare", "quoted"),
    [
        (KEY, f'"{KEY}"'),
        ("a b", '"a b"'),
        ('say "hi"!', r'"say \"hi\"!"'),
        (r"back\slash", r'"back\\slash"'),
        ("x" * 255, f'"{"x" * 255}"'),
    ],
)
async def test_a_quoted_key_equals_the_bare_key(ctx: Context, client: Client, bare: str, quoted: str) -> None:
    first = await client.submit(ITEMS, "application/json", Idempotency_Key=bare)
    again = await client.submit(ITEMS, "application/json", Idempotency_Key=quoted)
    assert (first.status, again.status) == (202, 202)
    assert (again.json["id"], again.headers["Idempotent-Replayed"]) == (first.json["id"], "true")
    assert await ctx.pool.fetchval("SELECT idempotency_key FROM jobs") == bare


@pytest.mark.parametrize(
    "key",
    ['"', '"abc', 'abc"', '"a"b"', r'"a\"', r'"a\b"', '"a";p=1"', '""', f'"{"x" * 256}"', '"schlüssel"'],
)
async def test_a_badly_quoted_key_is_refused(ctx: Context, client: Client, key: str) -> None:
    response = await client.submit(ITEMS, "application/json", Idempotency_Key=key)
    assert (response.status, response.error["code"]) == (422, "invalid_parameter")
    assert response.error["param"] == "Idempotency-Key"
    assert await count(ctx) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
async def test_an_invalid_key_is_refused(ctx: Context, client: Client, key: str) -> None:
    response = await client.submit(ITEMS, "application/json", Idempotency_Key=key)
    assert (response.status, response.error["param"]) == (422, "Idempotency-Key")
    assert await count(ctx) == 0


@pytest.mark.parametrize(
    "key",
    [
        "a", "a b", 'a"b', "x" * 255, '"a"', '" "', r'"\"\\"', f'"{"x" * 255}"',
        "", "x" * 256, '"', '""', '"a', 'a"', '"a"b"', r'"a\b"', '"a";p=1', f'"{"x" * 256}"', "schlüssel",
    ],
)  # fmt: skip
def test_the_openapi_document_shows_which_keys_are_valid(key: str) -> None:
    try:
        valid = read_key(make_mocked_request("POST", "/", headers={"Idempotency-Key": key})) is not None
    except NotAcceptable:
        valid = False
    assert jsonschema_rs.is_valid(REQUEST_HEADERS["Idempotency-Key"]["schema"], key) == valid


async def test_two_apis_share_their_keys(ctx: Context, settings: Settings, client: Client) -> None:
    first = await send(client)
    async with (
        serve(settings) as second,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{second.port}") as session,
    ):
        again = await send(Client(session, client.account, client.key))
    assert again.json["id"] == first.json["id"]
