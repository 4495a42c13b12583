"""The name, the tags and the file name of a job."""

from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from schemas.formats.records import PART_BYTES
from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import UPSERT, Client
from tests.integration.api.work import work


def named(job: dict[str, Any]) -> tuple[str | None, list[str], str | None]:
    """Return what a client reads of the name, the tags and the file name of a job."""
    return job["name"], job["tags"], job["file_name"]


async def send_csv(client: Client, query: str, disposition: str, rows: int = 1) -> dict[str, Any]:
    """Send a CSV file of about 1,000 bytes a row whose phones are bad, and return its job."""
    body = b"phone,name\n" + (b"12," + b"x" * 1_000 + b"\n") * rows
    response = await client.submit(body, "text/csv", query, Content_Disposition=disposition)
    assert response.status == 202, response.body
    return dict(response.json)


async def test_a_job_keeps_its_name_its_tags_and_its_file_name(ctx: Context, client: Client) -> None:
    plain = (await client.submit_items([contact(1)])).json
    assert named(plain) == (None, [], None)
    name, tags = 'Ostern "2026" \\ 🐣', ['a "b"', "{c}", "d\\", "NULL", "é"]
    query = f"?name={quote(f'  {name} ')}&tags={quote(' , '.join([*tags, tags[0]]))},"
    expected = (name, tags, "naïve list.csv")
    small = await send_csv(client, query, "attachment; filename*=UTF-8''na%C3%AFve%20list.csv")
    large = await send_csv(
        client, query, 'attachment; filename="C:\\\\x\\\\naïve list.csv"', PART_BYTES // 900
    )
    form = aiohttp.FormData(quote_fields=False)  # as a browser writes names
    form.add_field("file", b"phone\n12\n", filename="/tmp/naïve list.csv", content_type="text/csv")
    posted = (await client.call("POST", UPSERT + query, data=form)).json
    jobs = [small, large, posted]
    assert [named(job) for job in jobs] == [expected] * 3
    await work(ctx)
    ended = [(await client.get(f"/v1/jobs/{job['id']}")).json for job in jobs]
    assert [named(job) for job in ended] == [expected] * 3
    for job in ended:
        retry = await client.call("POST", f"/v1/jobs/{job['id']}/retry")
        assert (named(retry.json), retry.json["parent_id"]) == (expected, job["id"])
    assert [named(job) for job in (await client.get("/v1/jobs")).json["data"]] == [expected] * 6 + [
        named(plain)
    ]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("name=", "name"),
        (f"name={'x' * 201}", "name"),
        ("name=%00", "name"),
        ("name=import*", "name"),
        (f"tags={'x' * 51}", "tags[0]"),
        ("tags=a,b%00", "tags[1]"),
        (f"tags={','.join(map(str, range(21)))}", "tags"),
    ],
)
async def test_a_name_or_tag_that_cannot_be_is_refused(client: Client, query: str, param: str) -> None:
    response = await client.submit_items([contact(1)], f"?{query}")
    assert (response.status, response.error["code"], response.error["param"]) == (
        422,
        "invalid_parameter",
        param,
    )


async def test_the_longest_name_and_tags_are_taken(client: Client) -> None:
    name, tags = "é" * 200, [f"{n}{'é' * 48}" for n in range(10, 30)]
    response = await client.submit_items([contact(1)], f"?name={quote(name)}&tags={quote(','.join(tags))}")
    assert named(response.json) == (name, tags, None)


async def test_a_name_belongs_to_the_request_of_an_idempotency_key(client: Client) -> None:
    first, again, other = [
        await client.submit_items([contact(1)], f"?name={name}", Idempotency_Key="one") for name in "aab"
    ]
    assert again.json["id"] == first.json["id"]
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reuse")
