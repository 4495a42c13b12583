"""The filters of the list of jobs and of the counts, and pages in both directions, over HTTP."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Client
from tests.integration.api.work import work

STATES = [
    "receiving", "queued", "running", "completed", "completed_with_errors", "failed", "cancelled",
]  # fmt: skip


async def test_lists_and_counts_take_the_same_filters(ctx: Context, client: Client) -> None:
    made: list[dict[str, Any]] = []

    async def submit(items: list[Any], query: str) -> str:
        made.append((await client.submit_items(items, query)).json)
        return str(made[-1]["id"])

    plain = await submit([contact(1)], "")
    spring = await submit([contact(2)], "?name=spring%20import&tags=crm,weekly")
    sprint = await submit([{"phone": "12"}], "?name=sprint&tags=crm")
    await work(ctx)
    queued = await submit([contact(3)], "?name=spring%20import&tags=weekly")
    everything = [queued, sprint, spring, plain]
    moments = [job["received_at"] for job in made]
    for query, expected in {
        "": everything,
        "state=completed,queued": [queued, spring, plain],
        "state=completed_with_errors": [sprint],
        "state=": everything,
        "name=spring%20import": [queued, spring],
        "name=spr*": [queued, sprint, spring],
        "name=spring*&state=queued": [queued],
        "name=*": [queued, sprint, spring],
        "name=spr": [],
        "tag=crm": [sprint, spring],
        "tag=weekly&name=spring%20import&state=completed": [spring],
        "tag=weekly&name=spri*&operation=contacts.upsert": [queued, spring],
        "tag=we": [],
        f"until={moments[2]}": [spring, plain],
        f"since={moments[1]}&until={moments[3]}": [sprint, spring],
        "operation=labels.attach": [],
    }.items():
        listed = (await client.get(f"/v1/jobs?{query}")).json["data"]
        assert [job["id"] for job in listed] == expected, query
        counted = (await client.get(f"/v1/jobs/counts?{query}")).json
        states = [job["state"] for job in listed]
        wanted = dict(parse_qsl(query)).get("state")
        assert counted["total"] == len(expected), query
        assert {state: number for state, number in counted["states"].items() if number} == {
            state: states.count(state) for state in set(states)
        }, query
        assert list(counted["states"]) == (wanted.split(",") if wanted else STATES), query


async def test_pages_lead_to_newer_and_older_ones(client: Client) -> None:
    ids = [(await client.submit_items([contact(n)])).json["id"] for n in range(5)][::-1]
    first, second, third = [ids[:2], ids[2:4], ids[4:]]

    async def page(cursor: str | None) -> Any:
        return (await client.get("/v1/jobs?limit=2" + (f"&cursor={cursor}" if cursor else ""))).json

    def shown(page: Any) -> list[str]:
        return [job["id"] for job in page["data"]]

    newest = await page(None)
    middle = await page(newest["next_cursor"])
    oldest = await page(middle["next_cursor"])
    assert [shown(one) for one in (newest, middle, oldest)] == [first, second, third]
    assert (newest["previous_cursor"], oldest["next_cursor"]) == (None, None)
    back = await page(oldest["previous_cursor"])
    assert (shown(back), back["next_cursor"]) == (second, middle["next_cursor"])
    again = await page(back["previous_cursor"])
    assert (shown(again), again["previous_cursor"]) == (first, None)
    assert shown(await page(again["next_cursor"])) == second


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("state=ended", "state[0]"),
        ("state=queued,ended", "state[1]"),
        ("operation=import", "operation"),
        ("name=", "name"),
        ("tag=", "tag"),
        ("until=yesterday", "until"),
        ("since=2026-11-21", "since"),
        ("cursor=newer_", "cursor"),
        ("cursor=job_1", "cursor"),
    ],
)
async def test_a_wrong_filter_is_refused(client: Client, query: str, param: str) -> None:
    response = await client.get(f"/v1/jobs?{query}")
    assert (response.status, response.error["code"], response.error["param"]) == (
        422,
        "invalid_parameter",
        param,
    )


@pytest.mark.parametrize("query", ["limit=1", "cursor=job_01KANP8S3V0000000000000000"])
async def test_a_count_has_no_pages(client: Client, query: str) -> None:
    response = await client.get(f"/v1/jobs/counts?{query}")
    assert (response.status, response.error["code"]) == (422, "unknown_parameter")
