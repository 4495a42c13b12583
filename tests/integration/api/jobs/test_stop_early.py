"""`max_errors` in a request: what it may be, what the job shows, and what a retry does with it."""

import pytest

from storage.context import Context
from tests.factories import contact
from tests.integration.api.service import Client
from tests.integration.api.work import work


@pytest.mark.parametrize(
    ("query", "shown"),
    [("?max_errors=0", "0"), ("?max_errors=12.50%25", "12.5%"), ("?max_errors=20%", "20%")],
)
async def test_a_job_over_its_limit_is_cancelled_and_says_why(
    ctx: Context, client: Client, query: str, shown: str
) -> None:
    response = await client.submit_items([contact(1), {"phone": "12"}, contact(2)], query)
    assert response.json["max_errors"] == shown
    await work(ctx)
    job = await client.job(response)
    assert (job["state"], job["max_errors"], job["error"]["code"]) == (
        "cancelled", shown, "max_errors_exceeded",
    )  # fmt: skip
    assert job["error"]["message"].startswith("1 of the 3 items that were applied by then failed")
    assert (job["counts"]["created"], job["counts"]["failed"], job["counts"]["pending"]) == (2, 1, 0)
    retry = await client.call("POST", f"/v1/jobs/{job['id']}/retry")
    assert retry.json["max_errors"] is None
    await work(ctx)
    assert (await client.job(retry))["state"] == "completed_with_errors"


@pytest.mark.parametrize("limit", ["", "-1", "x", "101%25", "1.5"])
async def test_a_limit_that_is_none_is_refused(client: Client, limit: str) -> None:
    response = await client.submit_items([contact(1)], f"?max_errors={limit}")
    assert (response.status, response.error["param"]) == (422, "max_errors")
    assert "write a number of items, like 100, or a percentage" in response.error["message"]
    assert await client.jobs() == []
