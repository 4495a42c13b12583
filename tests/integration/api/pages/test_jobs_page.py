"""The list of jobs: live, filtered, in pages."""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import Client
from tests.integration.api.work import work
from tests.workers import open_worker, serving

HOSTILE = "<img src=x onerror=alert(1)> \"'& \u202eevil\u202c 😀 " + "W" * 100


async def submit(client: Client, name: str, tags: str = "", items: int = 1) -> None:
    """Submit a job of contacts, of which the first is not valid."""
    body = [{"phone": "12"}, *(contact(n) for n in range(items - 1))]
    response = await client.call(
        "POST", "/v1/bulk/contacts.upsert", params={"name": name, "tags": tags}, json=body
    )
    assert response.status == 202, response.body


async def names(tab: Tab) -> Sequence[str]:
    """Return the names of the jobs that the page shows."""
    return [text.strip() for text in await tab.page.locator(".jobs .row-link").all_inner_texts()]


async def test_jobs_change_while_they_are_looked_at(client: Client, tab: Tab, settings: Settings) -> None:
    page = tab.page
    await tab.open("/")
    await expect(page.get_by_text("There is no job yet")).to_be_visible()
    await tab.look("jobs-empty")
    await submit(client, HOSTILE, "spring,<b>", items=2_500)
    await submit(client, "second")
    rows = page.locator(".jobs tbody tr")
    await expect(rows).to_have_count(2)  # nobody has loaded the page again
    assert await names(tab) == ["second", HOSTILE]
    await expect(page.locator("#tab-queued")).to_have_text("queued 2")
    widths = "[...document.querySelectorAll('.jobs th')].map((cell) => cell.offsetWidth)"
    before = await page.evaluate(widths)
    async with open_worker(settings) as worker, serving(worker):
        await expect(page.locator("#tab-completed_with_errors")).to_have_text("completed with errors 2")
        await expect(rows.first).to_contain_text("1 of 1")
        await expect(rows.last).to_contain_text("2,500 of 2,500")
    await expect(rows.last.get_by_role("img")).to_have_attribute("aria-label", "100 % done")
    assert await page.evaluate(widths) == before
    await tab.look("jobs")
    await page.get_by_role("link", name="second").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("second")


async def test_filters_and_pages_are_in_the_address(ctx: Context, client: Client, tab: Tab) -> None:
    for n in range(25):
        await submit(client, f"import {n}", "odd,x" if n % 2 else "even")
    await work(ctx)
    await submit(client, "waits", "even")
    page = tab.page
    await tab.open("/")
    first = await names(tab)
    assert first == ["waits", *(f"import {n}" for n in range(24, 5, -1))]
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator(".jobs tbody tr")).to_have_count(6)
    assert await names(tab) == [f"import {n}" for n in range(5, -1, -1)]
    await page.get_by_role("link", name="Newer").click()
    await expect(page.locator(".jobs tbody tr")).to_have_count(20)
    assert await names(tab) == first

    # each filter keeps the others
    await page.get_by_role("link", name="even").first.click()
    await expect(page.get_by_label("Tag")).to_have_value("even")
    await page.locator("#tab-completed_with_errors").click()
    await page.get_by_label("Name").fill("import 1*")
    await page.keyboard.press("Enter")
    await expect(page.locator(".jobs tbody tr")).to_have_count(5)
    assert await names(tab) == [f"import {n}" for n in (18, 16, 14, 12, 10)]
    await expect(page.locator("#tab-queued")).to_have_text("queued 0")
    await expect(page.locator("#tab-completed_with_errors")).to_have_text("completed with errors 5")
    await page.get_by_label("Received from").fill("2020-01-01T10:00")
    await page.keyboard.press("Enter")
    await page.wait_for_url(
        "**since=2020-01-01T10*"
    )  # with its scripts: a choice before them applies nothing
    assert parse_qs(urlsplit(page.url).query) == {
        "state": ["completed_with_errors"],
        "tag": ["even"],
        "name": ["import 1*"],
        "since": ["2020-01-01T10:00"],
    }
    await page.get_by_label("Operation").select_option("contacts.delete")  # it applies when it is chosen
    await expect(page.get_by_text("No job matches")).to_be_visible()
    await tab.picture("jobs-none")
    await page.get_by_role("link", name="Clear the filters").click()
    await expect(page.locator(".jobs tbody tr")).to_have_count(20)


async def test_all_matching_jobs_are_cancelled_or_retried_after_a_preview(
    ctx: Context, client: Client, tab: Tab
) -> None:
    for n in range(3):
        await submit(client, f"import {n}")
    await work(ctx)
    await submit(client, "import 3")
    await submit(client, "other")
    page = tab.page
    await tab.open("/?name=import*")
    await page.get_by_role("link", name="Retry all matching").click()
    await expect(page.get_by_role("heading", name="3 jobs")).to_be_visible()
    await tab.look("jobs-retry")
    await page.get_by_role("button", name="Retry 3 jobs").click()
    await expect(page.get_by_role("heading", name="3 of 3 jobs were retried")).to_be_visible()
    await tab.open("/?name=import*&state=queued")
    await page.get_by_role("link", name="Cancel all matching").click()
    await expect(page.get_by_role("heading", name="4 jobs")).to_be_visible()
    await submit(client, "import 4")
    await page.get_by_role("button", name="Cancel 4 jobs").click()
    await expect(page.get_by_role("alert")).to_contain_text("5 jobs match, not 4")
    await page.get_by_role("button", name="Cancel 5 jobs").click()
    await expect(page.get_by_role("heading", name="5 of 5 jobs were cancelled")).to_be_visible()
    await tab.picture("jobs-cancelled")
    await work(ctx)
    states = {job["name"]: job["state"] for job in await client.jobs() if job["parent_id"] is None}
    assert (states["import 3"], states["import 4"]) == ("cancelled", "cancelled")
    assert (states["import 0"], states["other"]) == ("completed_with_errors", "completed_with_errors")


async def test_no_action_takes_an_empty_filter(client: Client) -> None:
    for verb in ("cancel", "retry"):
        for response in (
            await client.visit("GET", f"/jobs/{verb}", {"name": " "}),
            await client.visit("POST", f"/jobs/{verb}", {}, {"expected": "1"}),
            await client.visit("POST", f"/jobs/{verb}", {}, {"name": "x", "expected": ""}),
        ):
            assert response.status == 422, response.body


async def test_a_wrong_filter_is_refused_with_what_to_do(client: Client) -> None:
    for query in (
        {"since": "yesterday"},
        {"state": "lost"},
        {"cursor": "x"},
        {"colour": "red"},
        {"name": "\0"},
    ):
        response = await client.visit("GET", "/", query)
        assert (response.status, response.headers["Content-Type"]) == (422, "text/html; charset=utf-8")
        assert next(iter(query)).encode() in response.body
