"""An upload in several requests makes the job that one request would have made."""

import gzip
import json

import pytest

from storage.context import Context
from tests.integration.api.service import UPSERT, Client
from tests.integration.api.uploads.sending import CSV, append, create, offset_of
from tests.integration.api.work import work
from tests.workbooks import make_workbook, rows_of

ROWS = CSV.count(b"\n") - 1
ITEMS = [{"phone": f"+1415555{number:04}"} for number in range(ROWS)]


async def test_an_upload_in_three_requests_makes_one_job(ctx: Context, client: Client) -> None:
    created = await create(client, CSV[:1000], Upload_Length=str(len(CSV)))
    place = created.headers["Location"]
    assert (created.status, created.headers["Upload-Complete"]) == (201, "?0")
    assert created.headers["Upload-Limit"].startswith("max-size=4294967294, max-age=86")
    assert created.json["offset"] == await offset_of(client, place) == 1000
    more = await append(client, place, 1000, CSV[1000:2000])
    assert (more.status, more.headers["Upload-Complete"], more.headers["Upload-Offset"]) == (
        204,
        "?0",
        "2000",
    )
    done = await append(client, place, 2000, CSV[2000:], complete=True)
    assert (done.status, done.headers["Upload-Complete"]) == (202, "?1")
    assert done.headers["Location"] == f"/v1/jobs/{done.json['id']}"
    await work(ctx)
    job = await client.job(done)
    assert (job["state"], job["counts"]["created"]) == ("completed", ROWS)
    assert [one["id"] for one in await client.jobs()] == [job["id"]]


async def test_a_whole_body_in_one_request_is_answered_like_a_bulk_request(
    ctx: Context, client: Client
) -> None:
    response = await create(client, CSV, complete=True)
    assert (response.status, response.headers["Upload-Complete"]) == (202, "?1")
    await work(ctx)
    assert (await client.job(response))["counts"]["created"] == ROWS


async def test_uploads_is_the_same_entrance(ctx: Context, client: Client) -> None:
    created = await create(client, path="/v1/uploads?operation=contacts.upsert&name=my+import")
    assert created.status == 201, created
    done = await append(client, created.headers["Location"], 0, CSV, complete=True)
    assert (done.status, done.json["name"], done.json["operation"]) == (202, "my import", "contacts.upsert")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzip.compress(CSV), {"Content_Encoding": "gzip"}),
        (CSV.decode().encode("utf-16"), {"content_type": "text/csv; charset=utf-16"}),
        (json.dumps(ITEMS).encode(), {"content_type": "application/json"}),
        (b"\n".join(json.dumps(item).encode() for item in ITEMS), {"content_type": "application/x-ndjson"}),
    ],
    ids=["gzip", "utf-16", "json", "ndjson"],
)  # fmt: skip
async def test_every_format_is_read(
    ctx: Context, client: Client, body: bytes, headers: dict[str, str]
) -> None:
    created = await create(client, body[:333], **headers)  # type: ignore[arg-type]
    done = await append(client, created.headers["Location"], 333, body[333:], complete=True)
    assert done.status == 202, done
    await work(ctx)
    assert (await client.job(done))["counts"]["created"] == ROWS


async def test_the_job_is_told_again_after_the_response_was_lost(ctx: Context, client: Client) -> None:
    place = (await create(client, CSV)).headers["Location"]
    done = await append(client, place, len(CSV), complete=True)
    head = await client.call("HEAD", place)
    assert (head.headers["Upload-Complete"], head.headers["Cache-Control"]) == ("?1", "no-store")
    again = await append(client, place, len(CSV), complete=True)
    assert (again.status, again.json["id"]) == (202, done.json["id"])
    assert (again.headers["Upload-Complete"], again.headers["Idempotent-Replayed"]) == ("?1", "true")
    view = (await client.get(place)).json
    assert (view["job_id"], view["complete"], view["length"]) == (done.json["id"], True, len(CSV))
    assert len(await client.jobs()) == 1


async def test_unfinished_uploads_are_listed_the_newest_first(client: Client) -> None:
    places = [(await create(client)).headers["Location"] for _ in range(3)]
    await append(client, places[1], 0, CSV, complete=True)
    listed = (await client.get("/v1/uploads")).json
    assert [f"/v1/uploads/{one['id']}" for one in listed["data"]] == [places[2], places[0]]
    page = (await client.get("/v1/uploads?limit=1")).json
    rest = (await client.get(f"/v1/uploads?limit=1&cursor={page['next_cursor']}")).json
    assert [page["data"][0], *rest["data"]] == listed["data"]


async def test_a_deleted_upload_is_gone(client: Client) -> None:
    place = (await create(client, CSV[:500])).headers["Location"]
    assert (await client.call("DELETE", place)).status == 204
    assert (await client.call("HEAD", place)).status == 404
    assert (await append(client, place, 500, CSV[500:], complete=True)).status == 404
    assert (await client.call("DELETE", place)).status == 404


async def test_the_parameters_of_the_bulk_request_apply(ctx: Context, client: Client) -> None:
    path = f"{UPSERT}?map.Mobile=phone&unknown_columns=ignore&dry_run=true"
    body = b"Mobile,Colour\n+14155550001,red\n"
    place = (await create(client, body, path=path)).headers["Location"]
    done = await append(client, place, len(body), complete=True)
    await work(ctx)
    job = await client.job(done)
    assert (job["dry_run"], job["counts"]["created"]) == (True, 1)


async def test_a_workbook_is_read(ctx: Context, client: Client) -> None:
    body = make_workbook({"people": rows_of([["phone", "name"], ["+14155550001", "Ana"]])})
    created = await create(
        client, body[:700], content_type="application/octet-stream",
        Content_Disposition='inline; filename="people.xlsx"',
    )  # fmt: skip
    done = await append(client, created.headers["Location"], 700, body[700:], complete=True)
    assert (done.status, done.json["file_name"]) == (202, "people.xlsx")
    await work(ctx)
    assert (await client.job(done))["counts"]["created"] == 1
