"""The list of jobs, and a single job."""

from datetime import datetime

import pytest

from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Client
from tests.integration.api.work import work

FIELDS = {
    "id", "name", "tags", "file_name", "operation", "state", "stream", "total", "counts", "memberships",
    "progress", "position", "throttled_until", "eta", "error", "errors", "error_summary", "children",
    "undoes", "undone_by", "errors_url", "results_url", "events_url", "dry_run", "max_errors", "parent_id",
    "request_id", "received_at", "accepted_at", "started_at", "finished_at",
}  # fmt: skip


async def submit(client: Client, count: int) -> list[str]:
    responses = [await client.submit_items([contact(n)]) for n in range(count)]
    return [response.json["id"] for response in responses]


async def test_a_job_has_the_fields_of_the_contract(ctx: Context, client: Client) -> None:
    items = [contact(1), contact(2), contact(2), {"phone": "12", "ref": "mine"}]
    response = await client.submit_items(items)
    assert set(response.json) == FIELDS
    await work(ctx)
    job = await client.job(response)
    assert set(job) == FIELDS
    assert job["counts"] == {
        "created": 2, "updated": 0, "unchanged": 0, "merged": 1, "skipped": 0, "failed": 1, "cancelled": 0,
        "pending": 0,
    }  # fmt: skip
    assert (job["state"], job["total"], job["progress"]) == ("completed_with_errors", 4, 1.0)
    (error,) = job["errors"]
    assert error["message"]
    assert {**error, "message": "…"} == {
        "index": 3,
        "ref": "mine",
        "field": "phone",
        "code": "phone_too_short",
        "message": "…",
        "value": "12",
        "item": {"phone": "12", "ref": "mine"},
    }
    moments = [job[name] for name in ("received_at", "accepted_at", "started_at", "finished_at")]
    assert moments == sorted(moments)
    assert all(datetime.fromisoformat(moment).utcoffset() is not None for moment in moments)


async def test_a_job_shows_its_first_twenty_errors(ctx: Context, client: Client) -> None:
    response = await client.submit_items([{"phone": "12"}] * 30)
    await work(ctx)
    assert [error["index"] for error in (await client.job(response))["errors"]] == list(range(20))


async def test_a_job_groups_all_its_errors(ctx: Context, client: Client) -> None:
    items = [{"phone": "12"}] * 4 + [{"phone": "+14155552671", "age": "x" * 5000}, {"phone": "13"}]
    response = await client.submit_items(items)
    assert response.json["error_summary"] == []
    await work(ctx)
    job = await client.job(response)
    phones, ages = job["error_summary"]
    assert [(phones[name], ages[name]) for name in ("code", "field", "count")] == [
        ("phone_too_short", "wrong_type"), ("phone", "age"), (5, 1),
    ]  # fmt: skip
    assert [(example["index"], example["value"]) for example in phones["examples"]] == [
        (0, "12"), (1, "12"), (2, "12"),
    ]  # fmt: skip
    assert phones["examples"][0]["message"] == job["errors"][0]["message"]
    assert ages["examples"][0]["value"] is None  # too large
    (listed,) = await client.jobs()
    assert listed["error_summary"] is None


async def test_position_counts_the_jobs_ahead(ctx: Context, client: Client) -> None:
    await submit(client, 3)
    assert [job["position"] for job in await client.jobs()] == [2, 1, 0]
    await work(ctx)
    assert [job["position"] for job in await client.jobs()] == [0, 0, 0]


async def test_the_list_is_paged_newest_first(client: Client) -> None:
    ids = await submit(client, 5)
    path, seen = "/v1/jobs?limit=2", []
    for _ in range(3):
        page = (await client.get(path)).json
        seen += [job["id"] for job in page["data"]]
        path = f"/v1/jobs?limit=2&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == ids[::-1]


async def test_a_full_page_can_be_the_last(client: Client) -> None:
    await submit(client, 2)
    assert (await client.get("/v1/jobs?limit=2")).json["next_cursor"] is None


async def test_an_empty_list_is_one_page(client: Client) -> None:
    assert (await client.get("/v1/jobs")).json == {
        "data": [],
        "next_cursor": None,
        "previous_cursor": None,
    }


async def test_the_list_can_be_filtered(ctx: Context, client: Client) -> None:
    first = (await client.submit_items([contact(1)])).json["id"]
    await work(ctx)
    second = (await client.submit_items([{"phone": "12"}])).json["id"]
    await work(ctx)
    third = (await client.submit_items([contact(3)])).json
    since = third["received_at"].replace("+", "%2B")
    for query, expected in {
        "state=completed": [first],
        "state=completed_with_errors": [second],
        "state=queued": [third["id"]],
        "state=failed": [],
        "operation=contacts.upsert": [third["id"], second, first],
        f"since={since}": [third["id"]],
        f"since={third['received_at'].replace('Z', '+00:00')}": [third["id"]],  # the plus sign is not escaped
        "since=2020-01-01T00:00:00Z&state=completed": [first],
        f"cursor={third['id']}&state=completed": [first],
    }.items():
        page = await client.get(f"/v1/jobs?{query}")
        assert [job["id"] for job in page.json["data"]] == expected, query


@pytest.mark.parametrize("path", ["", "/errors", "/results"])
async def test_the_case_of_an_id_does_not_matter(client: Client, path: str) -> None:
    (job_id,) = await submit(client, 1)
    prefix, _, ulid = job_id.partition("_")
    assert (await client.get(f"/v1/jobs/{prefix}_{ulid.lower()}{path}")).status == 200


async def test_jobs_of_a_newer_release_that_was_rolled_back_are_shown(ctx: Context, client: Client) -> None:
    response = await client.submit_items([{"phone": "12"}])
    await work(ctx)
    await ctx.pool.execute("""UPDATE jobs SET operation = 'contacts.new', params = '{"new": 1}'""")
    await ctx.pool.execute("UPDATE item_errors SET code = 'new_code'")
    job = await client.job(response)
    assert (job["operation"], job["errors"][0]["code"]) == ("contacts.new", "new_code")
    assert (await client.get("/v1/jobs")).json["data"] == [
        {**job, "error_summary": None, "children": None, "undone_by": None}
    ]
    errors = (await client.get(job["errors_url"])).json["data"]
    assert [error["code"] for error in errors] == ["new_code"]
