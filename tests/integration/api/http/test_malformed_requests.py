"""Requests that are not valid HTTP get the envelope, cost little, and leave no header in the log."""

import asyncio
import io
import json
import logging
from http.client import HTTPResponse
from typing import Any, cast

import pytest

from schemas.settings import Settings
from tests.integration.api.service import UPSERT, Client, Service

SECRET = "bl_1_secret-in-a-header"
HEAD = f"POST {UPSERT} HTTP/1.1\r\nHost: x\r\nx-api-key: {SECRET}\r\nContent-Type: application/json\r\n"

MALFORMED = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    "another version": f"GET /v1/jobs HTTP/9.9\r\nx-api-key: {SECRET}\r\n\r\n".encode(),
    "a long request line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": f"GET /v1/jobs HTTP/1.1\r\nx-api-key: {SECRET}{'k' * 20_000}\r\n\r\n".encode(),
    "a header without a colon": f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n{SECRET}\r\n\r\n".encode(),
    "a space before the colon": b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nx-api-key : a\r\n\r\n",
    "NUL in a header": f"GET /v1/jobs HTTP/1.1\r\nx-api-key: {SECRET}\0\r\n\r\n".encode(),
    "too many headers": b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: 1\r\n" % n for n in range(1_000)) + b"\r\n",
    "a length that is no number": f"{HEAD}Content-Length: ten\r\n\r\n[]".encode(),
    "a negative length": f"{HEAD}Content-Length: -1\r\n\r\n[]".encode(),
    "two lengths": f"{HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]".encode(),
    "a length and chunks": f"{HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
    "chunked is not last": f"{HEAD}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n".encode(),
}


async def exchange(service: Service, request: bytes) -> bytes:
    """Send bytes, and return all that comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(request)
    async with asyncio.timeout(30):
        received = await reader.read()
    writer.close()
    return received


def parse(received: bytes) -> tuple[HTTPResponse, dict[str, Any]]:
    """Return the only response and its error."""
    response = HTTPResponse(cast(Any, _Received(received)))
    response.begin()
    body = response.read()
    error: dict[str, Any] = json.loads(body)["error"]
    return response, error


class _Received:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_request_gets_the_envelope(service: Service, request_: bytes) -> None:
    received = await exchange(service, request_)
    response, error = parse(received)
    assert (response.status, error["code"]) == (400, "malformed_request")
    assert response.headers["X-Request-Id"] == error["request_id"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Server"] == "bulklane"
    assert received.count(b"HTTP/1.1") <= 1 + error["message"].count("HTTP/1.1")


@pytest.mark.parametrize("path", ["/v1/jobs", "/healthz", "/nowhere"])
async def test_an_unknown_expectation_gets_the_envelope(service: Service, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nExpect: {SECRET}\r\n\r\n".encode()
    received = await exchange(service, request)
    response, error = parse(received)
    assert (response.status, error["code"]) == (417, "unsupported_expectation")
    assert response.headers["X-Request-Id"] == error["request_id"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert SECRET.encode() not in received


async def test_malformed_requests_are_one_line_without_headers(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    request = f"GET /v1/jobs HTTP/1.1\r\nx-api-key: {SECRET}\0\r\n\r\n".encode()
    for _ in range(20):
        await exchange(service, request)
    (record,) = [record for record in caplog.records if "not valid HTTP" in record.getMessage()]
    assert record.exc_info is None
    assert SECRET not in caplog.text


@pytest.mark.parametrize("codings", ["gzip, chunked", "gzip", "identity", "chunked, chunked"])
async def test_another_transfer_coding_than_chunked_is_refused(service: Service, codings: str) -> None:
    head = f"POST {UPSERT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {codings}\r\n\r\n"
    received = await exchange(service, head.encode() + b"2\r\n[]\r\n0\r\n\r\n")
    response, error = parse(received)
    assert (response.status, error["code"]) in (
        (501, "unsupported_transfer_encoding"),
        (400, "malformed_request"),
    )


async def test_a_request_behind_unsupported_framing_is_not_served(service: Service, client: Client) -> None:
    """A proxy may see one request where the api would see two."""
    hidden = f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nx-api-key: {client.key}\r\n\r\n".encode()
    head = f"POST {UPSERT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".encode()
    received = await exchange(service, head + b"0\r\n\r\n" + hidden)
    assert received.count(b"X-Request-Id") == 1


async def test_a_bad_chunk_ends_the_connection_with_an_error(service: Service, client: Client) -> None:
    head = HEAD.replace(SECRET, client.key) + "Transfer-Encoding: chunked\r\n\r\n"
    response, error = parse(await exchange(service, head.encode() + b"5\r\nabcdeXX\r\nnonsense\r\n"))
    assert response.status == 400
    assert error["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "path",
    ["/%0d%0aInjected:%20yes", "/v1/jobs?cursor=%0d%0aInjected:%20yes", "/v1/labels/%0d%0aInjected:yes"],
)
async def test_no_header_is_injected(client: Client, path: str) -> None:
    response = await client.call("GET", path, headers={"Prefer": "wait=1\t"})
    assert 400 <= response.status < 500
    assert "Injected" not in response.headers


@pytest.mark.parametrize("path", ["/healthz", "/v1/jobs", "/openapi.json", "/docs", "/nowhere"])
async def test_every_response_has_security_headers(client: Client, settings: Settings, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "bulklane"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    public = path in ("/openapi.json", "/docs")
    assert headers["Cache-Control"] == ("no-cache" if public else "no-store")
