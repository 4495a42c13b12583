"""What no browser sends is refused, and is never an error of ours."""

import asyncio

import aiohttp
import pytest

from tests.integration.api.service import COOKIE, Client, Service, csrf_token, sign_in

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
FIELD = b'--x\r\nContent-Disposition: form-data; name="key"\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, b"garbage"),
        (MULTIPART, FIELD + b"\r\ncut"),
        (MULTIPART, FIELD + b"Content-Type: text/plain; charset=none\r\n\r\na\r\n--x--\r\n"),
        ("multipart/form-data", b"no boundary"),
        (f"{URLENCODED}; charset=none", b"key=a"),
        (URLENCODED, b"key=\xff\xfe"),
        (URLENCODED, b"key=%00%ff"),
    ],
)
async def test_a_malformed_form_signs_nobody_in(
    session: aiohttp.ClientSession, content_type: str, body: bytes
) -> None:
    async with session.post("/sign-in", data=body, headers={"Content-Type": content_type}) as response:
        assert response.status == 401


async def test_a_form_that_is_too_large_is_explained(client: Client) -> None:
    refused = await client.visit("POST", "/lists", {}, {"name": "x" * 1024**2})
    text = refused.body.decode()
    assert (refused.status, refused.headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    for part in ("This is too large", "/lists takes a body of at most 1048576 bytes", "with the page Upload"):
        assert part in text
    accepted = await client.call("POST", "/v1/contact-lists", json={"name": "x" * 255})
    assert accepted.status == 201


async def test_a_token_that_is_no_text_is_a_wrong_token(
    client: Client, service: Service, session: aiohttp.ClientSession
) -> None:
    cookie = await sign_in(session, client.key)
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    head = f"POST /v1/jobs/cancel HTTP/1.1\r\nHost: x\r\nCookie: {COOKIE}={cookie}\r\nContent-Length: 2\r\n"
    writer.write(head.encode() + b"X-CSRF-Token: \xff\xfe\r\n\r\n{}")
    assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_the_preview_of_items_shows_a_bounded_number_of_fields(
    client: Client, session: aiohttp.ClientSession
) -> None:
    cookie = await sign_in(session, client.key)
    body = b"[{" + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}" + b",{}" * 9 + b"]"
    async with session.post(
        f"/upload/preview?operation=contacts.upsert&size={len(body)}",
        data=body,
        headers={"Cookie": f"{COOKIE}={cookie}", "X-CSRF-Token": csrf_token(cookie)},
    ) as response:
        text = await response.text()
    assert response.status == 200
    assert text.count("<th ") == 1_000
