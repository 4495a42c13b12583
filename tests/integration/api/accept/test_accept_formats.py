"""Every format and every encoding of a body gives the same contacts."""

import gzip
import json
import zlib
from typing import Any

import pytest
from backports import zstd  # type: ignore[import-not-found, unused-ignore]

from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.service import Client
from tests.integration.api.work import stored, work

ITEMS = [contact(n) for n in range(3)]
NAMES = {item["phone"]: item["name"] for item in ITEMS}
JSON = json.dumps(ITEMS).encode()
NDJSON = b"\n".join(json.dumps(item).encode() for item in ITEMS)
CSV = b"phone,name\n" + b"".join(f"{item['phone']},{item['name']}\n".encode() for item in ITEMS)


def raw_deflate(data: bytes) -> bytes:
    """Compress to deflate without the zlib wrapper, which some clients send as `deflate`."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(JSON, "application/json", id="array"),
        pytest.param(json.dumps({"items": ITEMS}).encode(), "application/json", id="items"),
        pytest.param(JSON, "application/json; charset=utf-8", id="array-with-charset"),
        pytest.param(JSON.decode().encode("utf-16"), "application/json", id="array-utf-16"),
        pytest.param(JSON, "application/vnd.acme+json", id="json-suffix"),
        pytest.param(NDJSON, "application/x-ndjson", id="ndjson"),
        pytest.param(NDJSON + b"\n\n\n", "application/jsonl", id="ndjson-with-blank-lines"),
        pytest.param(NDJSON.replace(b"\n", b"\r\n"), "application/x-ndjson", id="ndjson-crlf"),
        pytest.param(CSV, "text/csv", id="csv"),
        pytest.param(CSV, "TEXT/CSV; Header=present", id="csv-in-capitals"),
        pytest.param(CSV.replace(b",", b"\t"), "text/tab-separated-values", id="tsv"),
    ],
)
async def test_a_body_becomes_contacts(ctx: Context, client: Client, body: bytes, content_type: str) -> None:
    response = await client.submit(body, content_type)
    assert response.status == 202
    job = response.json
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["operation"], job["stream"], job["state"], job["total"]) == (
        "contacts.upsert",
        "contacts",
        "queued",
        3,
    )
    assert job["counts"]["pending"] == 3
    assert job["request_id"] == response.headers["X-Request-Id"]
    await work(ctx)
    ended = await client.job(response)
    assert (ended["state"], ended["counts"]["created"], ended["progress"]) == ("completed", 3, 1.0)
    assert await stored(ctx) == NAMES


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("zstd", zstd.compress),
    ],
)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(JSON, "application/json"), (NDJSON, "application/x-ndjson"), (CSV, "text/csv")],
    ids=["json", "ndjson", "csv"],
)
async def test_a_compressed_body_gives_the_same_contacts(
    ctx: Context, client: Client, body: bytes, content_type: str, encoding: str, pack: Any
) -> None:
    response = await client.submit(pack(body), content_type, Content_Encoding=encoding)
    assert response.status == 202
    await work(ctx)
    assert await stored(ctx) == NAMES


async def test_a_body_in_many_small_chunks_gives_the_same_contacts(ctx: Context, client: Client) -> None:
    async def pieces() -> Any:
        for at in range(0, len(CSV), 7):
            yield CSV[at : at + 7]

    response = await client.submit(pieces(), "text/csv")
    assert response.status == 202
    await work(ctx)
    assert await stored(ctx) == NAMES


async def test_query_parameters_apply_to_the_job(ctx: Context, client: Client) -> None:
    response = await client.submit_items([{"phone": "9810012345"}], "?region=in&parallel=7")
    assert response.status == 202
    await work(ctx)
    assert list(await stored(ctx)) == ["+919810012345"]
    assert await ctx.pool.fetchval("SELECT parallel FROM jobs") == 7


async def test_items_with_external_ids_are_applied_one_chunk_at_a_time(ctx: Context, client: Client) -> None:
    await client.submit_items([contact(1, external_id="a")])
    await client.submit(b'{"phone": "%s", "\\u0065xternal_id": "b"}' % phone(2).encode(), "application/jsonl")
    await client.submit(f"phone,External ID\n{phone(3)},c\n".encode(), "text/csv")
    await client.submit_items([contact(4)])
    parallel = await ctx.pool.fetch("SELECT parallel FROM jobs ORDER BY id")
    assert [row["parallel"] for row in parallel] == [1, 1, 1, 4]


async def test_every_partner_spelling_of_the_phone_is_taken(ctx: Context, client: Client) -> None:
    names = ["phone", "phone_number", "phoneNumber"]
    response = await client.submit_items([{name: phone(at)} for at, name in enumerate(names)])
    await work(ctx)
    assert (await client.job(response))["counts"]["created"] == 3
