"""No bytes of a request cause a 5xx, or a job that a worker cannot end."""

import asyncio
import functools
import gzip
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.context import Context
from tests.integration.api.service import UPSERT, Client
from tests.integration.api.work import work

FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TYPES = [
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/csv; charset=utf-16",
    "text/csv; charset=shift_jis",
    "multipart/form-data; boundary=x",
]
FRAGMENTS = st.sampled_from(
    [
        b"phone,name\n", b"phone", b"name", b"metadata", b"metadata.a", b"birth_date.day", b",", b";", b"\t",
        b'"', b'""', b"\n", b"\r\n", b"\r", b"\n\n", b"+14155552671", b"12", b"{", b"}", b"[", b"]", b":",
        b'{"phone": "+14155552671"}', b'"phone"', b'"items"', b"null", b"1e999", b"-0", b'"\\ud800"',
        b'"\\u0000"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xff", b"\xc3", b" ", b"--x\r\n", b"--x--\r\n",
        b'Content-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n', b"9" * 5000, b"e" * 300,
        b'{"phone": "+14155552671", "metadata": {"a": 1e999}}\n', b'{"phone": "+1415555\\u00002671"}\n',
        b'{"phone": "+14155552671", "name": "\\u0000"}\n', b'{"phone": "+14155552671", "age": 1e3}\n',
    ]
)  # fmt: skip
BODIES = st.one_of(st.binary(max_size=300), st.lists(FRAGMENTS, max_size=12).map(b"".join))


@pytest.mark.parametrize("content_type", TYPES)
async def test_no_body_is_a_server_error(ctx: Context, client: Client, content_type: str) -> None:
    @FUZZ
    @given(body=BODIES)
    @in_loop
    async def send(body: bytes) -> None:
        response = await client.submit(body, content_type)
        assert response.status in {202, 400, 413, 415, 422}, (body, response.body)
        await work(ctx)  # returns, because every accepted job ends

    await _run(send)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
async def test_no_encoded_body_is_a_server_error(client: Client, encoding: str) -> None:
    whole = gzip.compress(b"phone\n+14155552671\n")

    @FUZZ
    @given(body=st.one_of(st.binary(max_size=200), st.integers(0, len(whole)).map(lambda at: whole[:at])))
    @in_loop
    async def send(body: bytes) -> None:
        response = await client.submit(body, "text/csv", Content_Encoding=encoding)
        assert response.status in {202, 400, 415, 422}, (body, response.body)

    await _run(send)


HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)


async def test_no_header_is_a_server_error(client: Client) -> None:
    @FUZZ
    @given(content_type=HEADER, encoding=HEADER, prefer=HEADER)
    @in_loop
    async def send(content_type: str, encoding: str, prefer: str) -> None:
        headers = {"Content-Type": content_type, "Content-Encoding": encoding, "Prefer": f"wait=0, {prefer}"}
        response = await client.call("POST", UPSERT, data=b"phone\n+14155552671\n", headers=headers)
        assert response.status in {202, 400, 415, 422}, response.body

    await _run(send)


async def test_no_query_is_a_server_error(client: Client) -> None:
    names = st.one_of(
        st.sampled_from(["region", "parallel", "map.phone", "map.", "limit", "cursor", "state", "since"]),
        st.text(max_size=10),
    )

    @FUZZ
    @given(query=st.lists(st.tuples(names, st.text(max_size=20)), max_size=4))
    @in_loop
    async def send(query: Any) -> None:
        query = [(name, value.encode(errors="replace").decode()) for name, value in query]
        response = await client.call(
            "POST", UPSERT, params=query, data=b"phone\n+14155552671\n", headers={"Content-Type": "text/csv"}
        )
        assert response.status in {202, 400, 422}, response.body
        response = await client.call("GET", "/v1/jobs", params=query)
        assert response.status in {200, 400, 422}, response.body

    await _run(send)


async def _run(send: Callable[[], None]) -> None:
    """Run a synchronous Hypothesis test in a thread, from which its examples reach the test's loop."""
    await asyncio.to_thread(send)


def in_loop(example: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make an example synchronous: a thread calls it, and the running loop executes it."""
    loop = asyncio.get_running_loop()

    @functools.wraps(example)
    def run(**drawn: Any) -> None:
        asyncio.run_coroutine_threadsafe(example(**drawn), loop).result(60)

    return run
