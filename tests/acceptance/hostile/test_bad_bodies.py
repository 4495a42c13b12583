"""Each bad body gets a clear error in the envelope; none is a 5xx, takes much memory, stops other clients."""

import asyncio
import gzip
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from tests.acceptance.hostile.api_process import UPSERT, ApiProcess
from tests.acceptance.partner_requests import PHONE_NUMBER_ID

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEBIBYTE = 1024**2
MEMORY_BYTES = 250 * MEBIBYTE  # more than the process has at its start
STALL_SECONDS = 0.05  # the event loop never stands still for so much CPU time
# The least of several measurements counts. Other processes and virtual machines slow the same work down, also
# in CPU time, and never speed it up; a step that is too long is too long each time.
TRIES = 4
HEADER = b"phone,name\n"
FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
LABELS = f"/v1/{PHONE_NUMBER_ID}/contacts/bulk_label"
JSON, CSV, LINES = "application/json", "text/csv", "application/x-ndjson"

Case = tuple[str, str, Callable[[], bytes], str | None, set[tuple[int, str]]]

# Path, content type, body, content encoding, the status and the code of the response.
CASES: dict[str, Case] = {
    "gzip bomb": (
        UPSERT, CSV, lambda: gzip.compress(HEADER + b"\n" * 200 * MEBIBYTE), "gzip",
        {(422, "empty")},
    ),
    "zstd bomb": (
        UPSERT, LINES, lambda: zstd.compress(b" " * 200 * MEBIBYTE), "zstd",
        {(422, "record_too_large")},
    ),
    "nested gzip": (
        UPSERT, CSV, lambda: gzip.compress(gzip.compress(HEADER)), "gzip, gzip",
        {(415, "unsupported_encoding")},
    ),
    "tiny frames": (UPSERT, CSV, lambda: zstd.compress(b"") * 300_000, "zstd", {(400, "invalid_encoding")}),
    "tiny frames before a header without end": (
        UPSERT, CSV, lambda: zstd.compress(b'"\n') * 200_000, "zstd", {(400, "invalid_encoding")},
    ),
    "a form of 100,000 fields": (
        UPSERT, "multipart/form-data; boundary=x", lambda: FIELD * 100_000 + b"--x--", None,
        {(400, "malformed_body")},
    ),
    "nested arrays in a bulk item": (
        UPSERT, JSON, lambda: gzip.compress(b'[{"name": [%s[]]}]' % (b"[]," * 2_000_000)), "gzip",
        {(422, "record_too_large")},
    ),
    "an item of 350,000 arrays": (
        UPSERT, JSON, lambda: b'[{"a": [%s1], 1}]' % (b"[]," * 349_000), None, {(400, "invalid_json")},
    ),
    "values besides the items": (
        UPSERT, JSON, lambda: b'{"a": [%s1], "items": [1]}' % (b"[]," * 349_000), None,
        {(422, "record_too_large")},
    ),
    "a partner's item of 350,000 arrays": (
        LABELS, JSON, lambda: b'{"contact_ids": [[%s1]]}' % (b"[]," * 349_000), None,
        {(400, "record_too_large")},
    ),
    "nested arrays": (
        "/v1/labels", JSON, lambda: gzip.compress(b'{"name": [%s[]]}' % (b"[]," * 2_000_000)), "gzip",
        {(413, "body_too_large")},
    ),
    "deep arrays": ("/v1/labels", JSON, lambda: b"[" * 9_000, None, {(400, "invalid_json")}),
    "deep bulk arrays": (UPSERT, JSON, lambda: b"[" * 5_000_000, None, {(400, "invalid_json")}),
    "1,200,000 unknown fields": (
        "/v1/labels", JSON,
        lambda: gzip.compress(b"{%s}" % b",".join(b'"%x":1' % number for number in range(1_200_000))), "gzip",
        {(413, "body_too_large")},
    ),
    "50,000 unknown fields": (
        "/v1/labels", JSON, lambda: b"{%s}" % b",".join(b'"%x":1' % number for number in range(50_000)), None,
        {(413, "too_many_values")},
    ),
    "unknown members of a bulk body": (
        UPSERT, JSON, lambda: b"{%s}" % b",".join(b'"%x":1' % number for number in range(500_000)), None,
        {(422, "unknown_parameter")},
    ),
    "duplicate keys": (
        UPSERT, JSON, lambda: b'{"items": [1], "items": [2]}', None,
        {(422, "duplicate_parameter")},
    ),
    "NaN": (UPSERT, JSON, lambda: b"[NaN]", None, {(400, "invalid_json")}),
    "a huge integer": (
        "/v1/labels", JSON, lambda: b'{"name": %s}' % (b"9" * 100_000), None,
        {(400, "invalid_json")},
    ),
    "NUL": ("/v1/labels", JSON, lambda: b'{"name": "a\\u0000"}', None, {(422, "invalid_parameter")}),
    "half of a surrogate pair": (
        "/v1/labels", JSON, lambda: b'{"name": "\\ud800"}', None,
        {(400, "invalid_json")},
    ),
    "a CSV of one quote": (UPSERT, CSV, lambda: b'"' * 3 * MEBIBYTE, None, {(422, "record_too_large")}),
    "a row of quoted cells": (
        UPSERT, CSV, lambda: HEADER + b'"",' * 2 * MEBIBYTE, None, {(422, "record_too_large")},
    ),
    "a quote that is never closed": (
        UPSERT, CSV, lambda: HEADER + b'"' + b"x,\n" * MEBIBYTE, None, {(422, "record_too_large")},
    ),
    "100,000 columns": (
        UPSERT, CSV, lambda: b",".join(b"a%x" % number for number in range(100_000)) + b"\n1", None,
        {(422, "record_too_large"), (422, "too_many_columns")},
    ),
    "10,000 columns": (UPSERT, CSV, lambda: b"a," * 10_000 + b"b\n1", None, {(422, "too_many_columns")}),
    "bytes of no charset": (
        UPSERT, "text/csv; charset=windows-1252", lambda: b"\x81" * 4 * MEBIBYTE, None,
        {(422, "record_too_large")},
    ),
    "blank lines": (UPSERT, LINES, lambda: gzip.compress(b"\n" * 256 * MEBIBYTE), "gzip", {(422, "empty")}),
}  # fmt: skip


@pytest.mark.timeout(300)
async def test_bad_bodies_get_a_clear_error_and_stop_no_other_client(probed: ApiProcess) -> None:
    before, wrong = probed.rss, {}
    stalls: dict[str, float] = {}
    async with aiohttp.ClientSession(probed.url, headers={"x-api-key": probed.key}) as http:
        for name, (path, content_type, make, encoding, expected) in CASES.items():
            body = await asyncio.to_thread(make)
            headers = {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
            for _ in range(TRIES):
                seen = len(probed.stalls.read_text())
                found = await _answer(http, path, body, headers)
                if found not in expected:
                    wrong[name] = found
                await _another_client_is_served(probed)
                stall = max(map(float, probed.stalls.read_text()[seen:].split()), default=0)
                stalls[name] = min(stall, stalls.get(name, stall))
                if stalls[name] < STALL_SECONDS:
                    break
    assert wrong == {}
    assert {name: seconds for name, seconds in stalls.items() if seconds >= STALL_SECONDS} == {}
    assert probed.rss < before + MEMORY_BYTES


async def test_a_line_of_a_gigabyte_is_refused_in_little_memory(api: ApiProcess) -> None:
    async def line() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield b"x" * MEBIBYTE

    before = api.rss
    async with aiohttp.ClientSession(api.url, headers={"x-api-key": api.key}) as http:
        assert await _answer(http, UPSERT, line(), {"Content-Type": LINES}) == (422, "record_too_large")
    assert api.rss < before + MEMORY_BYTES


async def _answer(
    http: aiohttp.ClientSession, path: str, body: Any, headers: dict[str, str]
) -> tuple[int, str]:
    """Send a body; return the status and the code of the envelope."""
    try:
        async with http.post(path, data=body, headers=headers) as response:
            error = json.loads(await response.read())["error"]
            assert error["request_id"] == response.headers["X-Request-Id"]
            return response.status, error["code"]
    except aiohttp.ClientOSError as error:  # the api has answered and closed before the whole body was sent
        return 0, type(error).__name__


async def _another_client_is_served(api: ApiProcess) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{api.url}/healthz") as response:
        assert response.status == 200
