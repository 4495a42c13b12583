"""Excel workbooks over HTTP: recognised by their bytes, read as CSV, refused clearly."""

import asyncio
import gzip
import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from threading import Event, Semaphore

import pytest
from aiohttp import ClientSession

from api.http import file_pipe, workbook_room
from api.http.memory import SHARES
from api.http.workbook_room import FILES, WORKBOOKS
from schemas.formats.files.sheet import Workbook
from storage.context import Context
from tests.integration.api.raw_upload import upload
from tests.integration.api.service import Client, Service, make_client
from tests.integration.api.work import work
from tests.waiting import until
from tests.workbooks import ZEROS, make_archive, make_workbook, rows_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABLE = [["Phone", "Name"], ["+14155550123", "Zoë"], ["+14155550124", "Rui"], ["12", "Bad"]]
OTHER = f'<row><c t="str"><v>phone</v></c></row><row><c s="{ZEROS}"><v>14155550125</v></c></row>'
BOOK = make_workbook({"People": rows_of(TABLE), "Others": OTHER})


async def test_a_workbook_is_read_whatever_its_content_type_says(ctx: Context, client: Client) -> None:
    for type_ in (XLSX, "text/csv", "application/octet-stream", "application/x-www-form-urlencoded"):
        response = await client.submit(BOOK, type_, "?dry_run=true")
        assert response.status == 202, response.body
    form = (
        b'--XX\r\nContent-Disposition: form-data; name="f"; filename="a.xlsx"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + BOOK + b"\r\n--XX--\r\n"
    )
    assert (await client.submit(form, "multipart/form-data; boundary=XX", "?dry_run=true")).status == 202
    packed = await client.submit(gzip.compress(BOOK), XLSX, "?dry_run=true", Content_Encoding="gzip")
    assert packed.status == 202
    accepted = await client.submit(BOOK, XLSX)
    other = await client.submit(BOOK, XLSX, "?sheet=others&region=US")
    await work(ctx)
    job = await client.job(accepted)
    assert (job["total"], job["counts"]["created"], job["counts"]["failed"]) == (3, 2, 1)
    assert (await client.job(other))["counts"]["created"] == 1
    errors = await client.get(f"/v1/jobs/{job['id']}/errors?format=csv")
    assert errors.body.startswith(b"phone,name,error_code,error_message\r\n12,Bad,phone_too_short,")


async def test_a_file_that_is_no_workbook_is_refused_with_the_cure(client: Client) -> None:
    async def refusal(body: bytes, status: int, type_: str = XLSX, query: str = "") -> str:
        response = await client.submit(body, type_, query)
        assert response.status == status, response.body
        message: str = response.json["error"]["message"]
        return message

    csv = b"phone\n+14155550123\n"
    assert "is not supported" in await refusal(csv, 415)
    assert "Declare" in await refusal(BOOK, 415, "application/json")
    assert "Declare" in await refusal(BOOK, 415, "application/x-ndjson")
    assert "Only a workbook has sheets" in await refusal(csv, 422, "text/csv", "?sheet=A")
    assert "'People', 'Others'" in await refusal(BOOK, 422, query="?sheet=A")
    assert "damaged" in await refusal(BOOK[:-30], 400)
    assert "ZIP archive" in await refusal(make_archive({"a.csv": csv}), 415, "text/csv")
    assert "PDF" in await refusal(b"%PDF-1.7" + bytes(100), 415, "text/csv")
    assert "old Excel" in await refusal(b"\xd0\xcf\x11\xe0" + bytes(100), 415, "text/csv")
    assert "Content-Encoding: gzip" in await refusal(gzip.compress(csv), 415, "text/csv")
    assert "No column" in await refusal(make_workbook({"A": rows_of([["x"]])}), 422)
    assert "empty" in await refusal(make_workbook({"A": ""}), 422)


async def test_a_workbook_that_is_too_large_is_refused(client: Client) -> None:
    response = await client.submit(BOOK[:64] + bytes(65 * 1024**2), XLSX)
    assert response.status == 413
    assert "Save it as CSV" in response.json["error"]["message"]


async def test_no_temporary_file_is_left_open(client: Client) -> None:
    before = deleted_files()  # of pytest
    for body in (BOOK, BOOK[:-30], make_workbook({"A": rows_of([["x"]])})):
        await client.submit(body, XLSX, "?dry_run=true")
    assert deleted_files() == before


async def test_a_workbook_is_not_read_on_when_its_client_has_left(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = Event(), Event()

    def rows(_: Workbook) -> Iterator[bytes]:
        yield b"phone\n"
        begun.set()
        while not ended.is_set():  # a workbook that takes as long as the test
            yield b""

    monkeypatch.setattr(Workbook, "rows", rows)
    before = deleted_files()

    async def gone() -> bool:
        return deleted_files() == before

    try:
        async with upload(service, client, XLSX, length=len(BOOK)) as sent:
            await sent.send(BOOK)
            assert await asyncio.to_thread(begun.wait, 10)
            assert deleted_files() != before
        await until(gone)
        (job,) = await client.jobs()
        assert (job["state"], job["error"]["code"]) == ("failed", "upload_incomplete")
    finally:
        ended.set()


async def test_an_account_that_has_many_workbooks_read_stops_no_other(
    client: Client, session: ClientSession, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = Semaphore(0), Event()

    def rows(book: Workbook) -> Iterator[bytes]:
        begun.release()
        while not ended.is_set():  # its thread is free between two steps
            yield b""
        yield from plain(book)

    plain = Workbook.rows
    monkeypatch.setattr(Workbook, "rows", rows)
    monkeypatch.setattr(workbook_room, "WAIT_SECONDS", 0.2)
    slow = [asyncio.create_task(client.submit(BOOK, XLSX, "?dry_run=true")) for _ in range(2)]
    try:
        for _ in slow:
            assert await asyncio.to_thread(begun.acquire, timeout=10)
        refused = await client.submit(BOOK, XLSX)
        assert (refused.status, refused.error["code"]) == (503, "unavailable")
        assert "Retry-After" in refused.headers
        other = asyncio.create_task((await make_client(ctx, session)).submit(BOOK, XLSX))
        assert await asyncio.to_thread(begun.acquire, timeout=10)
    finally:
        ended.set()
    assert [response.status for response in await asyncio.gather(*slow, other)] == [202] * 3
    assert (await client.submit(BOOK, XLSX)).status == 202  # the places are free again


async def test_temporary_files_are_bounded(service: Service, client: Client) -> None:
    room = service.app[WORKBOOKS]
    book = make_workbook(
        {"A": rows_of([["phone"], ["+14155550126"]])}, more={"xl/x.bin": os.urandom(200_000)}
    )
    with closing(room.place(client.account.id)) as place:
        place.store(FILES * service.api.ctx.settings.max_workbook_bytes // SHARES)
        response = await client.submit(book, XLSX)
        assert (response.status, response.error["code"]) == (503, "unavailable")
        assert "temporary files" in response.error["message"]
    assert (await client.submit(book, XLSX)).status == 202
    assert room.disk.held == 0


async def test_a_disk_that_is_full_is_no_error_of_ours(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_pipe, "TemporaryFile", partial(open, "/dev/full", "wb"))
    response = await client.submit(BOOK, XLSX)
    assert (response.status, response.error["code"]) == (503, "unavailable")


def deleted_files() -> list[str]:
    """Return the files of this process that have no name any more."""
    folder = Path("/proc/self/fd")
    names = [os.readlink(fd) for fd in folder.iterdir() if os.path.lexists(fd)]  # not that of the listing
    return sorted(name for name in names if name.startswith(gettempdir()) and "(deleted)" in name)
