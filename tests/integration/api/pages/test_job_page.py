"""The page of a job: watched while it runs, searched, cancelled, retried."""

import json
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import expect

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import Client
from tests.integration.api.work import split, work
from tests.workers import open_worker, serving

HOSTILE = '<script>alert("x")</script> \u202eevil\u202c 😀 "\'&amp;' + "A" * 120
ITEMS = 3_300


def items() -> list[dict[str, Any]]:
    """Return items of several chunks, of which 33 have no phone number, and one has no e-mail address."""
    made = [contact(n) for n in range(ITEMS)]
    for n in range(7, ITEMS, 100):
        made[n] = {"phone": "12", "ref": f"row {n}", "name": HOSTILE}
    made[20] = {"phone": "+14155550999", "email": f"Müller {HOSTILE[:200]}"}
    return made


async def submit(client: Client, body: Any, **query: str) -> str:
    """Submit a job, and return its id."""
    response = await client.submit_items(body, f"?{urlencode(query)}" if query else "")
    assert response.status == 202, response.body
    job_id: str = response.json["id"]
    return job_id


async def test_a_job_is_watched_searched_and_retried(client: Client, tab: Tab, settings: Settings) -> None:
    job_id = await submit(client, items(), name=HOSTILE, tags="spring,<b>")
    page = tab.page
    await tab.open(f"/jobs/{job_id}")
    badge, rows = page.locator(".titles .badge"), page.locator("#items tbody tr")
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    await expect(badge).to_have_text("queued")
    await tab.picture("job-queued")
    async with open_worker(settings) as worker, serving(worker):
        await expect(badge).to_have_text("completed with errors")  # nobody has loaded the page again
    await expect(page.locator("#group-phone_too_short-phone .number")).to_have_text("33")
    await expect(page.get_by_role("img", name="4 chunks in the order")).to_be_visible()
    await tab.look("job-ended")

    # by code, by text, by index
    await page.get_by_role("link", name="invalid_email").click()
    await expect(rows).to_have_count(1)
    await expect(page.get_by_label("Field")).to_have_value("email")
    for text, count in (("MÜLLER", 0), ("müller", 1), ('alert("x', 20), ("too few digits", 20)):
        await tab.open(f"/jobs/{job_id}")
        await page.get_by_label("Text in").fill(text)
        await page.keyboard.press("Enter")
        await expect(rows).to_have_count(count)
    assert page.url.endswith("?text=too+few+digits#items")  # empty fields are not in the address
    await page.get_by_role("link", name="Next").click()
    await expect(rows).to_have_count(13)
    await expect(page.get_by_role("link", name="Next")).to_have_count(0)
    await page.get_by_role("link", name="First").click()
    await expect(rows).to_have_count(20)

    # results
    await page.get_by_role("link", name="Results").click()
    await page.wait_for_url("**show=results#items")  # until its scripts have run
    await expect(rows).to_have_count(20)
    await page.get_by_label("Outcome").select_option("failed")
    await expect(rows.first).to_contain_text("phone_too_short")
    await tab.picture("job-results")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="NDJSON").click()
    assert (await download.value).suggested_filename == f"{job_id}-results.ndjson"

    # retry, with the keyboard
    await page.get_by_text("Retry failed").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name=job_id)).to_be_visible()
    async with open_worker(settings) as worker, serving(worker):
        await expect(badge).to_have_text("completed with errors")
    jobs = await client.jobs()
    assert [job["parent_id"] for job in jobs] == [job_id, None]
    assert jobs[0]["total"] == 34


async def test_a_job_is_cancelled_after_a_question(client: Client, tab: Tab, settings: Settings) -> None:
    job_id = await submit(client, [contact(n) for n in range(5)], dry_run="true")
    page = tab.page
    await tab.open(f"/jobs/{job_id}")
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.get_by_text("Cancel job").click()
    await tab.look("job-cancel")
    await page.get_by_role("button", name="Cancel the job").focus()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Cancel the job")).to_be_hidden()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Cancel the job").click()
    await expect(page.get_by_text("This job is being cancelled")).to_be_visible()
    async with open_worker(settings) as worker, serving(worker):
        await expect(page.locator(".titles .badge")).to_have_text("cancelled")
    await expect(page.get_by_text("This is a dry run")).to_be_visible()


async def test_a_form_that_is_sent_twice_makes_one_job(ctx: Context, client: Client) -> None:
    job_id = await submit(client, [{"phone": "12"}])
    await work(ctx)
    path = f"/jobs/{job_id}/retry"
    first, second, another = [
        await client.visit("POST", path, {}, {"once": once}) for once in ("req_1", "req_1", "req_2")
    ]
    assert first.status == second.status == another.status == 303
    assert first.headers["Location"] == second.headers["Location"] != another.headers["Location"]
    cancelled = await client.visit("POST", f"/jobs/{job_id}/cancel", {})  # it has ended, as its page shows
    assert (cancelled.status, cancelled.headers["Location"]) == (303, f"/jobs/{job_id}")


async def test_a_job_is_undone_after_a_dry_run(ctx: Context, client: Client) -> None:
    job_id = await submit(client, [contact(1)])
    await work(ctx)
    assert b"Check the undo" in (await client.visit("GET", f"/jobs/{job_id}", {})).body
    form = {"once": "req_1", "dry_run": "true"}
    check = (await client.visit("POST", f"/jobs/{job_id}/undo", {}, form)).headers["Location"]
    await work(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 1
    shown = (await client.visit("GET", check, {})).body.decode()
    assert "Undo now" in shown
    assert f'action="/jobs/{job_id}/undo"' in shown
    undo = (await client.visit("POST", f"/jobs/{job_id}/undo", {}, {"once": "req_2"})).headers["Location"]
    await work(ctx)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 0
    assert undo.encode() in (await client.visit("GET", f"/jobs/{job_id}", {})).body
    assert f"/jobs/{job_id}".encode() in (await client.visit("GET", undo, {})).body


async def test_a_page_shows_a_job_of_any_state_and_of_a_newer_release(ctx: Context, client: Client) -> None:
    job_id = await submit(client, [contact(n) for n in range(2_500)])
    await split(ctx)
    for change in (
        "params = '{\"newer\": [1]}', operation = 'contacts.newer'",
        "throttled_until = now() + interval '1 h', started_at = now(), state = 'running'",
        "state = 'failed', error_code = 'newer', error_message = '<b>', finished_at = now() - interval '1 h'",
    ):
        await ctx.pool.execute(f"UPDATE jobs SET {change}")
        response = await client.visit("GET", f"/jobs/{job_id}", {})
        assert response.status == 200, response.body
    assert b"&lt;b&gt;" in response.body
    refused = await client.visit("POST", f"/jobs/{job_id}/retry", {})
    assert (refused.status, refused.headers["Content-Type"]) == (409, "text/html; charset=utf-8")
    assert b"install the newer one" in refused.body
    for wrong in ({"index": "x"}, {"outcome": "eaten"}, {"text": "\0"}, {"page": "2"}):
        refused = await client.visit("GET", f"/jobs/{job_id}", wrong)
        assert (refused.status, refused.headers["Content-Type"]) == (422, "text/html; charset=utf-8")


async def test_a_search_says_how_far_it_has_looked(ctx: Context, client: Client) -> None:
    job_id = await submit(client, [contact(1)])
    await work(ctx)
    (row,) = await ctx.pool.fetch("SELECT account_id, id FROM jobs")
    await ctx.pool.execute(
        "INSERT INTO item_errors (account_id, job_id, item_index, code, message, item) "
        "SELECT $1, $2, n, CASE n WHEN 25000 THEN 'rare' ELSE 'often' END, 'wrong', $3 "
        "FROM generate_series(1, 30000) n",
        row["account_id"], row["id"], json.dumps({"phone": "1"}),
    )  # fmt: skip
    first = (await client.visit("GET", f"/jobs/{job_id}", {"code": "rare"})).body.decode()
    assert "Looked through up to item 20,000" in first
    assert "index=20001#items" in first
    second = (await client.visit("GET", f"/jobs/{job_id}", {"code": "rare", "index": "20001"})).body.decode()
    assert 'id="item-25000"' in second
    assert "Search on" not in second
