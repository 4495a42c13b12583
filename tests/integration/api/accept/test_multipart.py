"""A file in a multipart form, as a browser sends it."""

import pytest
from aiohttp import FormData

from storage.context import Context
from tests.factories import phone
from tests.integration.api.service import UPSERT, Client, Response
from tests.integration.api.work import stored, work

CSV = f"phone,name\n{phone(1)},Ana\n{phone(2)},Bo\n".encode()
NDJSON = b'{"phone": "%s", "name": "Ana"}\n{"phone": "%s", "name": "Bo"}\n' % (
    phone(1).encode(),
    phone(2).encode(),
)
BOTH = {phone(1): "Ana", phone(2): "Bo"}


async def send(client: Client, *parts: tuple[bytes, str | None, str | None], **headers: str) -> Response:
    form = FormData(default_to_multipart=True)
    form.add_field("note", "a field that is no file")
    for content, filename, content_type in parts:
        form.add_field("file", content, filename=filename, content_type=content_type)
    return await client.call("POST", UPSERT, data=form, headers=headers)


@pytest.mark.parametrize(
    ("content", "filename", "content_type"),
    [
        (CSV, "contacts.csv", "text/csv"),
        (CSV, "contacts.csv", "application/vnd.ms-excel"),  # from Windows with Excel
        (CSV, "Contacts.CSV", "application/octet-stream"),
        (CSV, "contacts.txt", "text/csv"),
        (CSV.replace(b",", b"\t"), "contacts.tsv", "text/tab-separated-values"),
        (NDJSON, "contacts.ndjson", "application/octet-stream"),
        (NDJSON, "contacts.jsonl", "application/octet-stream"),
        (b"[%s]" % NDJSON.strip().replace(b"\n", b","), "contacts.json", "application/json"),
    ],
)
async def test_a_file_in_a_form_is_accepted(
    ctx: Context, client: Client, content: bytes, filename: str, content_type: str
) -> None:
    response = await send(client, (content, filename, content_type))
    assert response.status == 202, response.body
    await work(ctx)
    assert await stored(ctx) == BOTH


async def test_a_file_of_several_parts_is_stored_whole(ctx: Context, client: Client) -> None:
    rows = 60_000
    content = b"phone,name\n" + b"".join(b"%s,Name of %d\n" % (phone(n).encode(), n) for n in range(rows))
    response = await send(client, (content, "contacts.csv", "text/csv"))
    assert (response.status, response.json["total"]) == (202, None)
    stored_bytes = await ctx.pool.fetchval("SELECT sum(length(body)) FROM parts")
    assert stored_bytes == len(content) - len(b"phone,name\n")


async def test_a_form_without_a_file_is_refused(client: Client) -> None:
    response = await send(client)
    assert (response.status, response.error["code"]) == (415, "unsupported_format")


async def test_a_second_file_is_refused(client: Client) -> None:
    response = await send(client, (CSV, "a.csv", "text/csv"), (CSV, "b.csv", "text/csv"))
    assert (response.status, response.error["code"]) == (422, "too_many_files")
    assert await client.jobs() == []


async def test_a_file_of_an_unknown_format_is_refused(client: Client) -> None:
    response = await send(client, (CSV, "photo.png", "image/png"))
    assert (response.status, response.error["code"]) == (415, "unsupported_format")


async def test_a_form_cannot_be_compressed(client: Client) -> None:
    response = await send(client, (CSV, "a.csv", "text/csv"), **{"Content-Encoding": "gzip"})
    assert response.status in {400, 415}
    assert await client.jobs() == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"phone,name\n", "multipart/form-data"),
        (b"phone,name\n", 'multipart/form-data; boundary=""'),
        (b"phone,name\n", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nnonsense\r\n\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Type: multipart/mixed\r\n\r\n", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\n" + b"A: b\r\n" * 500, "multipart/form-data; boundary=x"),
        (b"--x\r\nA: " + b"b" * 20_000, "multipart/form-data; boundary=x"),
        (b"\xff", f"multipart/form-data; boundary={'x' * 100}"),
    ],
)
async def test_a_malformed_form_is_refused(client: Client, body: bytes, content_type: str) -> None:
    response = await client.submit(body, content_type)
    assert response.status in {400, 415}, response.body
    assert await client.jobs() == []


@pytest.mark.parametrize("missing", [1, 6, 9, 20])
async def test_a_form_that_ends_before_its_file_does_is_refused(client: Client, missing: int) -> None:
    head = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    )
    whole = head + CSV + b"\r\n--x--"
    response = await client.submit(whole[:-missing], "multipart/form-data; boundary=x")
    assert (response.status, response.error["code"]) == (400, "malformed_body")
    assert await client.jobs() == []
