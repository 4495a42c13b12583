"""Results: every item has exactly one."""

import asyncio
import csv
import io
import json
from collections import Counter
from typing import Any

from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.service import Client, Service
from tests.integration.api.work import work
from tests.waiting import until
from tests.workers import barred, waiting_backends

ITEMS = 4_500


def items() -> list[dict[str, Any]]:
    """Return items of several chunks: new contacts, failures, duplicates in one chunk and across chunks."""
    made = [contact(n) for n in range(ITEMS)]
    made[10] = contact(11, name="later")  # a duplicate in one chunk: merged into item 11
    made[4_000] = contact(5, name="last")  # duplicates of item 5 in another chunk: merged by settle
    made[4_100] = contact(5, nickname="Nick")
    for n in range(50, ITEMS, 500):
        made[n] = {"phone": "12", "ref": f"ref {n}"}
    return made


async def results(client: Client, path: str, limit: int) -> list[dict[str, Any]]:
    """Return the results of all pages."""
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await client.get(f"{path}?limit={limit}{cursor}")).json
        seen += page["data"]
        if page["next_cursor"] is None:
            return seen
        assert len(page["data"]) == limit
        cursor = f"&cursor={page['next_cursor']}"


async def test_every_item_has_one_result(ctx: Context, client: Client) -> None:
    response = await client.submit_items(items())
    await work(ctx)
    job = await client.job(response)
    path = job["results_url"]
    found = await results(client, path, 1_000)
    assert [result["index"] for result in found] == list(range(ITEMS))
    counted = Counter(result["outcome"] for result in found)
    assert counted == {name: count for name, count in job["counts"].items() if count}
    assert counted == {"created": ITEMS - 9 - 3, "failed": 9, "merged": 3}
    ids = {row["phone"]: row["id"] for row in await ctx.pool.fetch("SELECT phone, id FROM contacts")}
    for n in (0, 11, 999, 1_000, ITEMS - 1):
        assert found[n]["contact_id"] == ids[phone(n)]
    merged = {n: found[n]["merged_into"] for n in (5, 10, 4_000)}
    assert merged == {5: 4_100, 10: 11, 4_000: 4_100}
    assert {found[n]["contact_id"] for n in (5, 4_000, 4_100)} == {ids[phone(5)]}
    assert (found[50]["code"], found[50]["contact_id"]) == ("phone_too_short", None)
    assert found[50]["message"]

    lines = (await client.get(path, Accept="application/x-ndjson")).body.splitlines()
    assert [json.loads(line) for line in lines] == found
    text = (await client.get(path, Accept="text/csv")).body.decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    expected = [
        {name: "" if value is None else str(value) for name, value in result.items()} for result in found
    ]
    assert rows == expected


async def test_the_results_of_a_queued_job_are_empty(client: Client) -> None:
    response = await client.submit_items([contact(1)])
    path = response.json["results_url"]
    assert (await client.get(path)).json == {"data": [], "next_cursor": None}
    text = (await client.get(path, Accept="text/csv")).body
    assert text == b"index,outcome,contact_id,merged_into,code,message,fields\r\n"
    assert (await client.get(path, Accept="application/x-ndjson")).body == b""


async def test_small_pages_cover_every_item(ctx: Context, client: Client) -> None:
    response = await client.submit_items([contact(n) for n in range(25)])
    await work(ctx)
    found = await results(client, response.json["results_url"], 5)
    assert [result["index"] for result in found] == list(range(25))


async def test_the_first_known_format_of_accept_is_used(ctx: Context, client: Client) -> None:
    response = await client.submit_items([contact(1)])
    path = response.json["results_url"]
    for accept, given in {
        "text/csv, application/x-ndjson": "text/csv",
        "application/x-ndjson;q=1, text/csv": "application/x-ndjson",
        "application/json": "application/json",
        "TEXT/CSV": "text/csv",
        "*/*": "application/json",
        "application/json, text/csv;q=0.5": "application/json",
        "image/png": "application/json",
    }.items():
        shown = (await client.get(path, Accept=accept)).headers["Content-Type"]
        assert shown == f"{given}; charset=utf-8", accept


async def test_downloads_leave_connections_to_other_requests(
    ctx: Context, service: Service, client: Client
) -> None:
    response = await client.submit_items([contact(1)])
    await work(ctx)
    path = response.json["results_url"]
    size = ctx.settings.api_pool_size

    async def no_more_start() -> bool:
        waiting = len(await waiting_backends(ctx))
        return waiting == size or (waiting > 0 and service.api.pages.locked())

    async with barred(ctx, "LOCK TABLE outcomes IN ACCESS EXCLUSIVE MODE"), asyncio.TaskGroup() as group:
        downloads = [group.create_task(client.get(path, Accept="text/csv")) for _ in range(size * 2)]
        await until(no_more_start)
        other = await client.get("/v1/contacts")
        waited = not any(download.done() for download in downloads)
        for download in downloads:
            download.cancel()
    assert (other.status, waited) == (200, True)


async def test_a_link_can_name_the_format(ctx: Context, client: Client) -> None:
    response = await client.submit_items([contact(1), {"phone": "12"}])
    await work(ctx)
    job = await client.job(response)
    for kind in ("errors", "results"):
        path = job[f"{kind}_url"]
        for name, media in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
            link = await client.get(
                f"{path}?format={name}", Accept="text/html,application/xhtml+xml,*/*;q=0.8"
            )
            assert link.headers["Content-Type"] == f"{media}; charset=utf-8"
            assert link.headers["Content-Disposition"] == f'attachment; filename="{job["id"]}-{kind}.{name}"'
            assert link.body == (await client.get(path, Accept=media)).body
        page = await client.get(f"{path}?format=json", Accept="text/csv")
        assert page.json["data"]
        assert (await client.get(f"{path}?format=xlsx")).status == 422
