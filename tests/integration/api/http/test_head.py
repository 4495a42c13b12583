"""HEAD: every path that has a GET answers HEAD with the status and the headers of the GET, without a body."""

from collections.abc import Mapping

import aiohttp
import pytest

from storage.context import Context
from tests.factories import contact
from tests.integration.api.http.test_malformed_requests import exchange
from tests.integration.api.service import Client, Service
from tests.integration.api.work import work

# they differ between two requests, or belong to one body
VARYING = {"date", "x-request-id", "ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"}
FRAMING = {"content-length", "transfer-encoding"}


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/v1/jobs", "/v1/contacts"]
)
async def test_head_has_the_headers_of_get(client: Client, path: str) -> None:
    get = await client.get(path)
    head = await client.call("HEAD", path)
    assert (head.status, head.body) == (get.status, b"")
    assert _compared(head.headers, VARYING) == _compared(get.headers, VARYING)


@pytest.mark.parametrize("media", ["text/csv", "application/x-ndjson"])
@pytest.mark.parametrize("what", ["errors", "results"])
async def test_head_of_a_download_sends_no_body(
    ctx: Context, service: Service, client: Client, what: str, media: str
) -> None:
    """The next response on the connection would be unreadable."""
    job = (await client.submit_items([contact(1), {"phone": "1"}])).json["id"]
    await work(ctx)
    path = f"/v1/jobs/{job}/{what}"
    get = await client.get(path, Accept=media)
    head = await client.call("HEAD", path, headers={"Accept": media})
    assert (head.status, head.body) == (200, b"")
    assert _compared(head.headers, VARYING | FRAMING) == _compared(get.headers, VARYING | FRAMING)
    request = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {client.key}\r\nAccept: {media}\r\n"
    received = await exchange(service, f"{request}Connection: close\r\n\r\n".encode())
    assert received.partition(b"\r\n\r\n")[2] == b""


async def test_head_needs_a_key(session: aiohttp.ClientSession) -> None:
    async with session.head("/v1/jobs") as response:
        assert response.status == 401


async def test_a_path_without_get_has_no_head(client: Client) -> None:
    response = await client.call("HEAD", "/v1/bulk/contacts.upsert")
    assert (response.status, "HEAD" in response.headers.get("Allow", "")) == (405, False)


def _compared(headers: Mapping[str, str], without: set[str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in without}
