"""What the service returns for the first bytes of a file, and which requests it refuses."""

import gzip
import os

from tests.integration.api.service import Client, Response
from tests.workbooks import make_workbook, rows_of

HOSTILE = 'x"><script>alert(1)</script>'


async def look(client: Client, head: bytes, **query: str) -> Response:
    query = {"operation": "contacts.upsert", "size": str(len(head)), **query}
    return await client.visit("POST", "/upload/preview", query, head)


async def test_names_and_cells_of_a_file_are_only_text(client: Client) -> None:
    head = f"{HOSTILE},phone,\u202ename\n{HOSTILE},1,🙂\n".encode()
    response = await look(client, head, file_name=f"{HOSTILE}.csv", charset="utf-8")
    assert response.status == 200
    assert b"<script>alert" not in response.body
    assert b"&lt;script&gt;alert(1)" in response.body
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_the_headers_for_the_api_are_named(client: Client) -> None:
    body = (await look(client, gzip.compress("Tel;Größe\n1;2\n".encode("windows-1252")))).body
    assert b'data-content-type="text/csv; charset=windows-1252"' in body
    assert b'data-content-encoding="gzip"' in body
    assert b"The file is not UTF-8" in body


async def test_a_file_that_the_api_would_refuse_cannot_be_sent(client: Client) -> None:
    pdf = await look(client, b"%PDF-1.7")
    array = await look(client, b'[{"phone": "1"}, ', size=str(17 * 1024**2))
    unknown = await look(client, b"phone\n", charset="klingon")
    for response, text in ((pdf, b"PDF file"), (array, b"16 MiB"), (unknown, b"klingon")):
        assert response.status == 200
        assert text in response.body
        assert b"file-kind" not in response.body


async def test_a_large_workbook_is_shown_by_its_first_rows(client: Client) -> None:
    padding = {"xl/media/picture.png": os.urandom(1_500_000)}
    book = make_workbook({"A": rows_of([["Handy", "Name"], ["+14155550123", "Zoë"]])}, more=padding)
    response = await look(client, book)
    assert response.status == 200
    assert "Zoë" in response.body.decode()
    assert b"file-kind" in response.body
    cut = await look(client, book[:-100])
    assert b"is damaged" in cut.body


async def test_a_body_or_a_query_that_no_page_sends_is_refused(client: Client) -> None:
    assert (await look(client, b"x" * 1_100_000)).status == 413
    assert (await look(client, b"phone\n", operation="contacts.frobnicate")).status == 422
    assert (await look(client, b"phone\n", size="-1")).status == 422
    assert (await client.visit("GET", "/upload", {"check": "job_x"})).status == 404


async def test_a_thousand_columns_have_a_proposal_each(client: Client) -> None:
    head = ",".join(f"odd column {number}" for number in range(1_000)).encode()
    response = await look(client, head + b"\n")
    assert response.body.count(b"<select aria-labelledby") == 1_000
