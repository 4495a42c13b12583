"""Every page is used with the keyboard alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import expect

from schemas.ids import show_job_id
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import failures
from tests.browser import PATIENCE
from tests.factories import contact, make_job, phone
from tests.integration.api.operator.operator_client import OPERATOR_KEY
from tests.integration.api.pages.keyboard.walking import expect_question, focused, go_to, press, walk
from tests.integration.api.pages.tab import Tab
from tests.integration.api.resource_calls import make
from tests.integration.api.service import Client, Service, serve
from tests.integration.api.work import work

FILE = b"Mobile No.;Vorname;Kundennr;Notiz\n+14155550123;Ana;K-1;x\n12;Bo;K-2;y\n"


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """Run an api with OPERATOR_KEY."""
    async with serve(settings.model_copy(update={"operator_key": OPERATOR_KEY})) as service:
        yield service


async def _sign_in(tab: Tab, path: str, key: str) -> None:
    """Sign in at a path, where the field of the key has the focus."""
    await tab.page.goto(tab.host + path)
    await tab.page.keyboard.type(key)
    await press(tab, "Enter")
    await tab.page.get_by_role("button", name="Sign out").wait_for()


async def _submit(client: Client, items: Any, **query: str) -> str:
    response = await client.call("POST", "/v1/bulk/contacts.upsert", params=query, json=items)
    assert response.status == 202, response.body
    job_id: str = response.json["id"]
    return job_id


async def test_a_person_signs_in_finds_a_job_and_cancels_it(ctx: Context, client: Client, tab: Tab) -> None:
    page = tab.page
    for n in range(21):
        await _submit(client, [contact(n)], name=f"import {n}", tags="spring")
    await tab.open("/")
    await go_to(tab, "Sign out")
    await press(tab, "Enter")
    await page.get_by_label("API key").wait_for()
    tab.browser.messages.clear()  # the browser logs the status 401 of the page that asks for a key
    await _sign_in(tab, "/sign-in", client.key)

    await tab.open("/")
    await walk(tab)
    await tab.open("/")
    await press(tab, "Tab", "Enter", "Tab")  # the skip link, and the first element of the content
    step = await focused(tab)
    assert step is not None
    assert step.name == "Upload a file"
    await go_to(tab, "Operation")
    await press(tab, "ArrowDown")  # each arrow chooses: nothing is loaded until it is wanted
    await expect(page.get_by_label("Operation")).to_be_focused()
    await expect(page.get_by_label("Operation")).to_have_value("contacts.upsert")
    await press(tab, "Tab")
    await page.keyboard.type("import*")
    await press(tab, "Enter")
    await page.wait_for_url("**operation=contacts.upsert&name=import*")
    await go_to(tab, "Older")
    await press(tab, "Enter")
    await expect(page.locator(".jobs tbody tr")).to_have_count(1)
    await go_to(tab, "import 0")
    await press(tab, "Enter")
    await page.wait_for_url("**/jobs/job_*")

    await walk(tab)
    await page.locator(".skip").focus()
    await expect_question(tab, "Cancel job", "Cancel the job")
    await press(tab, "Enter", "Tab", "Enter")
    await page.get_by_text("This job is being cancelled").wait_for()
    await work(ctx)
    await expect(page.locator(".titles .badge")).to_have_text("cancelled")


async def test_a_live_page_leaves_the_focus_where_it_is(ctx: Context, client: Client, tab: Tab) -> None:
    page = tab.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    badge, items = page.locator(".titles .badge"), [{"phone": "12"}, *(contact(n) for n in range(20))]
    job_id = await _submit(client, items)
    await tab.open(f"/jobs/{job_id}")
    await go_to(tab, "Text in the item")
    await page.keyboard.type("too few")
    await work(ctx)
    await expect(badge).to_have_text("completed with errors")
    text = page.get_by_label("Text in the item")
    await expect(text).to_be_focused()
    await expect(text).to_have_value("too few")
    await press(tab, "Enter")
    await page.wait_for_url("**?text=too+few#items")

    another = await _submit(client, items)  # it ends while a person is asked whether to cancel it
    await tab.open(f"/jobs/{another}")
    await go_to(tab, "Cancel job")
    await press(tab, "Enter", "Tab")
    await expect(page.get_by_role("button", name="Cancel the job")).to_be_focused()
    await work(ctx)
    await expect(badge).to_have_text("completed with errors")
    await expect(page.locator("#main")).to_be_focused()  # not the button that sends the failed items again
    await expect(page.get_by_role("button", name="Retry 1 item")).to_be_hidden()

    await tab.open(f"/jobs/{job_id}")
    await walk(tab)
    await page.locator(".skip").focus()
    await expect_question(tab, "Retry failed", "Retry 1 item")
    await go_to(tab, "NDJSON")
    async with page.expect_download() as download:
        await press(tab, "Enter")
    assert (await download.value).suggested_filename == f"{job_id}-errors.ndjson"
    await go_to(tab, "Copy as curl")
    await press(tab, "Enter")
    await expect(page.get_by_role("button", name="Copied")).to_be_focused()
    assert job_id in await page.evaluate("navigator.clipboard.readText()")
    await tab.open(f"/jobs/{job_id}")
    await go_to(tab, "Results")
    await press(tab, "Enter")
    await expect(page.locator("#items tbody tr")).to_have_count(20)


async def test_a_file_is_chosen_mapped_checked_and_sent(tab: Tab, client: Client, worker: None) -> None:
    page = tab.page
    # The browser hears that it must not show its own window some time after `expect_file_chooser` begins, and
    # a key is faster: so that begins before the walk.
    async with page.expect_file_chooser(timeout=3 * PATIENCE) as chooser:
        await tab.open("/upload")
        await walk(tab)
        await page.locator(".skip").focus()
        await go_to(tab, "Drop a file here")
        await press(tab, "Enter")
    file = {"name": "a.csv", "mimeType": "", "buffer": FILE}
    await (await chooser.value).set_files(file)  # type: ignore[arg-type]
    await page.locator("#mapping").wait_for()
    await walk(tab)

    await page.locator("#file").focus()
    await go_to(tab, "More options")
    await press(tab, "Enter")
    await go_to(tab, "Leave out")  # the field of the first column
    await go_to(tab, "Leave out")
    before = await page.get_by_label("Vorname").input_value()
    await press(tab, "ArrowDown")
    assert await page.get_by_label("Vorname").input_value() != before
    await press(tab, "ArrowUp")
    assert await page.get_by_label("Vorname").input_value() == before
    await go_to(tab, "Check the file")
    await press(tab, "Enter")
    await expect(page.locator("#check-result .badge")).to_have_text("1 row has an error")
    await expect(page.locator("#check-result")).to_contain_text("Row 3, 12")  # as a spreadsheet shows it
    await expect(page.get_by_role("button", name="Check it again")).to_be_focused()
    await walk(tab)
    await go_to(tab, "Send the file")
    await press(tab, "Enter")
    await page.wait_for_url("**/jobs/job_*")
    await expect(page.locator(".titles .badge")).to_have_text("completed with errors")
    await expect(page.locator("#items tbody tr td").first).to_have_text("3")


async def test_contacts_lists_limits_and_errors_are_walked_through(
    ctx: Context, client: Client, tab: Tab
) -> None:
    page = tab.page
    list_ = await make(client, "/v1/contact-lists", name="Spring")
    await make(client, "/v1/channels", name="SMS")
    items = [{"phone": phone(n)} for n in range(21)]
    await client.call("POST", "/v1/bulk/lists.add", params={"list_id": list_["id"]}, json=items)
    await work(ctx)
    await tab.open("/contacts")
    await walk(tab)
    await page.locator(".skip").focus()
    await go_to(tab, "Name or phone number")
    await page.keyboard.type(phone(20))
    await press(tab, "Enter")
    await page.get_by_text("1 found").wait_for()
    await go_to(tab, "No name")
    await press(tab, "Enter")
    await page.wait_for_url("**/contacts/ctc_*")
    await walk(tab)
    await page.locator(".skip").focus()
    await go_to(tab, "Spring")
    await press(tab, "Enter")
    await page.get_by_role("heading", name="Members").wait_for()
    await walk(tab)
    for path, noun in (
        ("/lists", "list"),
        ("/labels", "label"),
        ("/channels", "channel"),
        ("/properties", "property"),
    ):
        await tab.open(path)
        await go_to(tab, f"New {noun}")
        await press(tab, "Enter")
        await walk(tab)
    await tab.open("/limits")
    await walk(tab)
    await page.goto(f"{tab.host}/jobs/job_01KANP8S3V0000000000000001")
    await walk(tab)
    tab.browser.messages.clear()  # the browser logs the status 404


async def test_the_operator_needs_no_pointer(ctx: Context, client: Client, tab: Tab) -> None:
    page = tab.page
    failing = await make_job(ctx, client.account.id, [contact(1)], stream="failing")
    await failures.count(ctx.pool, client.account.id, failing)
    await client.submit_items([contact(2)])
    await page.goto(f"{tab.host}/operator/sign-in")
    await walk(tab)
    await _sign_in(tab, "/operator/sign-in", OPERATOR_KEY)
    job, account = f"jobs/{show_job_id(failing)}", f"accounts/org_{client.account.id}"
    for path in ("", "/accounts", "/jobs", f"/{job}", f"/{account}"):
        await tab.open(f"/operator{path}")
        await walk(tab)
    await page.locator(".skip").focus()
    await expect_question(tab, "Revoke", "Revoke the key")
    await tab.open("/operator/accounts")
    await expect_question(tab, "Change", "Requests (0: no limit)")
    await press(tab, "Enter", "Tab", "Control+A")
    await page.keyboard.type("77")
    for _ in range(2):  # with the second load, what the first one has changed is seen
        async with page.expect_response(page.url):
            await page.evaluate("document.dispatchEvent(new Event('refresh'))")
    limit = page.get_by_label("Requests (0: no limit)")
    await expect(limit).to_have_value("77")
    await expect(limit).to_be_focused()
    await press(tab, "Enter")
    await page.wait_for_load_state()
    await expect(limit).to_have_value("77")  # stored
