"""Invalid bodies and parameters are refused with all problems at once, and nothing is stored."""

import gzip
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.service import UPSERT, Client, make_client, serve


@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "text/csv"])
@pytest.mark.parametrize("body", [b"", b"\n\r\n", b"\xef\xbb\xbf"], ids=["empty", "blank", "bom"])
async def test_an_empty_body_is_refused(client: Client, content_type: str, body: bytes) -> None:
    response = await client.submit(body, content_type)
    assert response.status in {400, 422}
    assert response.error["code"] in {"invalid_json", "empty"}
    assert await client.jobs() == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[]", "application/json"),
        (b'{"items": []}', "application/json"),
        (b"phone,name\n", "text/csv"),
        (b"phone,name\n\n\n", "text/csv"),
    ],
)
async def test_a_body_without_items_is_refused(client: Client, body: bytes, content_type: str) -> None:
    response = await client.submit(body, content_type)
    assert (response.status, response.error["code"]) == (422, "empty")
    assert await client.jobs() == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'[{"phone": "1"},\n {"phone": }]', "line 2, column 12"),
        (b'{"items": [', "line 1, column 12"),
        (b"[1] 2", "line 1, column 5"),
        (b"\xff\xfe\xfd", "byte"),
        (b'["\xff"]', "byte 2"),
        (b"[" * 100_000, "column"),
        (b"NaN", "column 1"),
    ],
)
async def test_invalid_json_is_refused_with_its_place(client: Client, body: bytes, place: str) -> None:
    response = await client.submit(body, "application/json")
    assert (response.status, response.error["code"]) == (400, "invalid_json")
    assert place in response.error["message"]


@pytest.mark.parametrize(
    "body", [b"1", b'"x"', b"{}", b'{"items": 1}', b'{"items": [1], "more": 2, "and": 3}']
)
async def test_json_without_an_array_of_items_is_refused(client: Client, body: bytes) -> None:
    response = await client.submit(body, "application/json")
    assert response.status == 422
    assert await client.jobs() == []


async def test_all_problems_of_an_envelope_are_reported(client: Client) -> None:
    response = await client.submit(b'{"items": 1, "more": 2, "and": 3}', "application/json")
    assert [problem["param"] for problem in response.json["errors"]] == ["items", "more", "and"]


@pytest.mark.parametrize(
    "content_type", ["text/html", "image/png", "application/xml", "nonsense", ";;", "a/b/c"]
)
async def test_an_unknown_content_type_is_refused(client: Client, content_type: str) -> None:
    response = await client.submit(b"phone\n1\n", content_type)
    assert (response.status, response.error["code"]) == (415, "unsupported_format")


async def test_no_content_type_is_refused(client: Client) -> None:
    response = await client.call("POST", UPSERT, data=b"phone\n1\n", skip_auto_headers=["Content-Type"])
    assert (response.status, response.error["param"]) == (415, "Content-Type")


async def test_an_unknown_charset_is_refused(client: Client) -> None:
    response = await client.submit(b"phone\n1\n", "text/csv; charset=klingon")
    assert (response.status, response.error["code"]) == (415, "unsupported_charset")


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "nonsense"])
async def test_an_unknown_encoding_is_refused(client: Client, encoding: str) -> None:
    response = await client.submit(b"phone\n1\n", "text/csv", Content_Encoding=encoding)
    assert (response.status, response.error["code"]) == (415, "unsupported_encoding")
    assert await client.jobs() == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson", "text/csv"])
async def test_a_corrupt_compressed_body_is_refused(client: Client, encoding: str, content_type: str) -> None:
    response = await client.submit(b"\x00\x01 no such thing", content_type, Content_Encoding=encoding)
    assert (response.status, response.error["code"]) == (400, "invalid_encoding")
    assert await client.jobs() == []


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: data[:-8] + b"\0" * 8])
async def test_a_damaged_gzip_is_refused(client: Client, damage: object) -> None:
    whole = gzip.compress(b"phone\n" + b"+14152000000\n" * 1000)
    assert callable(damage)
    response = await client.submit(damage(whole), "text/csv", Content_Encoding="gzip")
    assert (response.status, response.error["code"]) == (400, "invalid_encoding")
    assert await client.jobs() == []


@pytest.fixture
async def small(ctx: Context, settings: Settings) -> AsyncIterator[Client]:
    """Run an api with small limits, and return its client."""
    limits = {"max_json_bytes": 2_000, "max_json_items": 10, "max_upload_bytes": 3_000_000}
    async with (
        serve(settings.model_copy(update=limits)) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        yield await make_client(ctx, session)


async def test_json_with_too_many_items_is_refused(small: Client) -> None:
    assert (await small.submit_items([contact(n) for n in range(10)])).status == 202
    response = await small.submit_items([contact(n) for n in range(11)])
    assert (response.status, response.error["code"]) == (413, "too_many_items")
    assert len(await small.jobs()) == 1


async def test_json_with_too_many_bytes_is_refused(small: Client) -> None:
    response = await small.submit_items([contact(1, nickname="x" * 2000)])
    assert (response.status, response.error["code"]) == (413, "body_too_large")
    response = await small.submit(
        gzip.compress(b" " * 1_000_000), "application/json", Content_Encoding="gzip"
    )
    assert (response.status, response.error["code"]) == (413, "body_too_large")
    assert await small.jobs() == []


async def test_an_upload_with_too_many_bytes_ends_as_a_failed_job(ctx: Context, small: Client) -> None:
    response = await small.submit(b"phone\n" + b"+14152000000\n" * 300_000, "text/csv")
    assert (response.status, response.error["code"]) == (413, "body_too_large")
    (job,) = await small.jobs()
    assert (job["state"], job["error"]["code"], job["total"]) == ("failed", "body_too_large", 0)
    assert await ctx.pool.fetchval("SELECT count(*) FROM parts") == 0


async def test_all_invalid_parameters_are_reported_at_once(client: Client) -> None:
    response = await client.submit_items([contact(1)], "?region=XX&parallel=0&colour=red&parallel=65")
    assert response.status == 422
    problems = [(problem["code"], problem["param"]) for problem in response.json["errors"]]
    assert problems == [
        ("invalid_parameter", "parallel"),
        ("invalid_parameter", "region"),
        ("unknown_parameter", "colour"),
        ("duplicate_parameter", "parallel"),
    ]
    assert response.error == response.json["errors"][0]
    assert await client.jobs() == []


@pytest.mark.parametrize(
    "query", ["?region=", "?region=USA", "?parallel=x", "?parallel=%C2%B2", "?map.=phone", "?=1"]
)
async def test_an_invalid_parameter_is_refused(client: Client, query: str) -> None:
    response = await client.submit_items([contact(1)], query)
    assert (response.status, response.error["type"]) == (422, "invalid_request_error")


async def test_a_record_longer_than_a_part_is_refused(client: Client) -> None:
    line = json.dumps({"phone": phone(1), "name": "x" * 1_100_000}).encode()
    response = await client.submit(line + b"\n", "application/x-ndjson")
    assert (response.status, response.error["code"]) == (422, "record_too_large")
    assert await client.jobs() == []


async def test_an_unknown_operation_is_not_found(client: Client) -> None:
    response = await client.call("POST", "/v1/bulk/contacts.explode", json=[contact(1)])
    assert (response.status, response.error["code"]) == (404, "unknown_operation")
