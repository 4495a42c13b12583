"""What is wrong with an upload is said as early as it can be known, and as the draft has it."""

import asyncio
from typing import Any

import pytest

from schemas.ids import show_upload_id
from schemas.settings import Settings
from storage.context import Context
from tests.integration.api.service import UPSERT, Client, Service, make_client, serve
from tests.integration.api.uploads.sending import CSV, append, create, offset_of

UNKNOWN = b"phone,colour\n+14155550001,red\n"


@pytest.mark.parametrize(
    ("path", "options", "status", "code"),
    [
        ("/v1/bulk/contacts.paint", {}, 404, "unknown_operation"),
        ("/v1/uploads", {}, 422, "missing_parameter"),
        (f"{UPSERT}?colour=red", {}, 422, "unknown_parameter"),
        ("/v1/bulk/labels.attach?label_id=7", {}, 404, "unknown_label"),
        (UPSERT, {"content_type": "text/csv; charset=klingon"}, 415, "unsupported_charset"),
        (UPSERT, {"Content_Encoding": "br"}, 415, "unsupported_encoding"),
        (UPSERT, {"content_type": "multipart/form-data; boundary=x"}, 415, "unsupported_format"),
        (UPSERT, {"Upload_Length": "4294967295"}, 413, "body_too_large"),
    ],
)
async def test_a_wrong_request_is_refused_at_the_creation(
    client: Client, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    response = await create(client, path=path, **options)
    assert (response.status, response.error["code"]) == (status, code), response
    assert response.headers["Upload-Complete"] == "?0"
    assert (await client.get("/v1/uploads")).json["data"] == []


@pytest.mark.parametrize("at_once", [True, False])
async def test_unknown_columns_are_refused_with_the_first_bytes(
    ctx: Context, client: Client, at_once: bool
) -> None:
    body = UNKNOWN + b"+14155550002,blue\n" * 40_000  # more than one piece
    refused = await create(client, body if at_once else b"")
    if not at_once:
        assert refused.status == 201
        refused = await append(client, refused.headers["Location"], 0, body)
    assert (refused.status, refused.error["code"]) == (422, "unknown_columns"), refused
    assert refused.headers["Upload-Complete"] == "?1"
    assert await client.jobs() == []
    place = f"/v1/uploads/{(await _newest(ctx))}"
    again = await append(client, place, 0, body)  # by a client that has not heard of it
    assert (again.status, again.error["code"], again.headers["Upload-Complete"]) == (
        422,
        "unknown_columns",
        "?1",
    )


async def _newest(ctx: Context) -> str:
    return show_upload_id(
        await ctx.pool.fetchval("SELECT id FROM resumable_uploads ORDER BY id DESC LIMIT 1")
    )


async def test_what_the_bytes_have_wrong_is_said_again(client: Client) -> None:
    place = (await create(client)).headers["Location"]
    first = await append(client, place, 0, UNKNOWN, complete=True)
    again = await append(client, place, len(UNKNOWN), complete=True)
    for refused in (first, again):
        assert (refused.status, refused.error["code"]) == (422, "unknown_columns"), refused
        assert refused.headers["Upload-Complete"] == "?1"
    assert first.error["message"] == again.error["message"]
    view = (await client.get(place)).json
    assert (view["complete"], view["job_id"], view["error"]["code"]) == (True, None, "unknown_columns")
    assert await client.jobs() == []


async def test_another_offset_is_a_conflict_that_names_the_right_one(client: Client) -> None:
    place = (await create(client, CSV[:500])).headers["Location"]
    response = await append(client, place, 700, CSV[700:])
    assert (response.status, response.error["code"]) == (409, "mismatching_upload_offset")
    assert (response.headers["Upload-Offset"], response.headers["Upload-Complete"]) == ("500", "?0")
    problem = response.json
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
    assert (problem["expected-offset"], problem["provided-offset"]) == (500, 700)


async def test_an_append_needs_its_media_type_and_its_fields(client: Client) -> None:
    place = (await create(client)).headers["Location"]
    response = await append(client, place, 0, CSV, Content_Type="text/csv")
    assert (response.status, response.headers["Accept-Patch"]) == (415, "application/partial-upload")
    for field, value in (("Upload_Offset", "many"), ("Upload_Complete", "true")):
        response = await append(client, place, 0, CSV, **{field: value})  # type: ignore[arg-type]
        assert (response.status, response.error["code"]) == (422, "missing_parameter")
    assert await offset_of(client, place) == 0


async def test_lengths_that_differ_are_refused(client: Client) -> None:
    response = await create(client, CSV, complete=True, Upload_Length="5")
    assert (response.status, response.error["code"]) == (400, "inconsistent_upload_length")
    place = (await create(client, Upload_Length="500")).headers["Location"]
    response = await append(client, place, 0, CSV[:100], Upload_Length="600")
    assert (response.status, response.error["code"]) == (400, "inconsistent_upload_length")
    short = (await create(client, CSV)).headers["Location"]
    response = await append(client, short, len(CSV), Upload_Length="5")
    assert (response.status, response.error["code"]) == (400, "inconsistent_upload_length")
    assert (await append(client, short, len(CSV), complete=True)).status == 202
    response = await append(client, place, 0, CSV[:100], complete=True)
    assert (response.status, response.error["code"]) == (400, "inconsistent_upload_length")
    assert response.json["type"].endswith("#inconsistent-upload-length")
    response = await append(client, place, 0, CSV[:600])
    assert (response.status, response.error["code"]) == (400, "inconsistent_upload_length")
    assert response.headers["Upload-Complete"] == "?1"  # it is invalid from now on
    assert (await append(client, place, 0, CSV[:500])).status == 400


async def test_nothing_is_appended_to_a_complete_upload(client: Client) -> None:
    place = (await create(client, CSV)).headers["Location"]
    await append(client, place, len(CSV), complete=True)
    response = await append(client, place, len(CSV), b"more", complete=True)
    assert (response.status, response.error["code"]) == (400, "inconsistent_upload_length")


async def test_options_tell_the_limits(client: Client) -> None:
    for path in (UPSERT, "/v1/uploads"):
        response = await client.call("OPTIONS", path)
        assert response.status == 204
        assert response.headers["Upload-Limit"] == "max-size=4294967294, max-age=86400"


async def test_the_uploads_of_an_account_have_limits(
    ctx: Context, settings: Settings, client: Client
) -> None:
    limits = {"max_unfinished_uploads": 2, "max_stored_bytes": 600_000}
    async with serve(settings.model_copy(update=limits)) as limited:
        import aiohttp

        async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{limited.port}") as session:
            small = await make_client(ctx, session)
            response = await create(small, Upload_Length="600001")
            assert (response.status, response.error["code"]) == (429, "too_many_bytes")
            places = [(await create(small)).headers["Location"] for _ in range(2)]
            response = await create(small)
            assert (response.status, response.error["code"]) == (429, "too_many_uploads")
            assert (await append(small, places[0], 0, CSV, complete=True)).status == 202
            assert (await create(small, CSV)).status == 201


async def test_appends_count_in_no_window(ctx: Context, client: Client) -> None:
    place = (await create(client)).headers["Location"]
    response = await append(client, place, 0, CSV)
    assert (response.status, "RateLimit" in response.headers) == (204, False)
    head = await client.call("HEAD", place)
    assert head.headers["RateLimit"].startswith('"reads";r=1199')


async def test_a_nul_in_a_file_is_refused_as_in_one_request(client: Client) -> None:
    body = b"phone,co\x00l\n+14155550001,red\n"
    plain = await client.submit(body, "text/csv")
    place = (await create(client)).headers["Location"]
    refused = await append(client, place, 0, body, complete=True)
    again = await append(client, place, len(body), complete=True)
    for response in (refused, again):
        assert (response.status, response.error["message"]) == (422, plain.error["message"]), response
        assert response.headers["Upload-Complete"] == "?1"
    assert (await client.get(place)).json["error"]["code"] == "unknown_columns"


async def test_a_file_name_that_is_no_utf_8_is_read_as_in_one_request(
    service: Service, client: Client
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    head = (
        f"POST {UPSERT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-api-key: {client.key}\r\n"
        "Upload-Complete: ?0\r\nContent-Type: text/csv; note=é\r\n"
        'Content-Disposition: inline; filename="café.csv"\r\nContent-Length: 0\r\n\r\n'
    )
    writer.write(head.encode("latin-1"))
    assert (await reader.read()).startswith(b"HTTP/1.1 201 ")
    writer.close()
    (upload,) = (await client.get("/v1/uploads")).json["data"]
    assert upload["file_name"] == "caf\N{REPLACEMENT CHARACTER}.csv"
    done = await append(client, f"/v1/uploads/{upload['id']}", 0, CSV, complete=True)
    assert (done.status, done.json["file_name"]) == (202, upload["file_name"])
