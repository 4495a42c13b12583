"""The pages of contacts, of lists and what is like them, and of limits."""

from typing import Any

import aiohttp
import pytest

from storage.context import Context
from storage.entities import contact_jobs
from storage.entities.contact_jobs import LookedAt
from tests.factories import contact, make_job, phone
from tests.integration.api.pages.tab import Tab
from tests.integration.api.resource_calls import make
from tests.integration.api.service import Client, make_client
from tests.integration.api.work import work

HOSTILE = (
    "<script>alert(1)</script> \N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET} \N{WAVING HAND SIGN} " + "x" * 180
)
LONG = "words " * 2000


async def _fill(ctx: Context, client: Client) -> str:
    """Create a contact that belongs to everything, with hostile values, and return its id."""
    body = {
        "name": HOSTILE,
        "phoneNumber": phone(0),
        "externalId": "ext<&>",
        "email": "a@example.com",
        "metadata": {"<b>key</b>": LONG, "list": [1, {"a": None}]},
        "properties": {"vip": True},
    }
    await make(client, "/v1/properties", name="vip", type="boolean")
    channel = await make(client, "/v1/channels", name=HOSTILE)
    made = await make(client, "/v1/contacts", **body)
    items = [{"phone": phone(n)} for n in range(25)]
    for path, operation, param in (
        ("/v1/contact-lists", "lists.add", "list_id"),
        ("/v1/labels", "labels.attach", "label_id"),
        ("/v1/audiences", "audiences.add", "audience_id"),
    ):
        owner = await make(client, path, name=HOSTILE[:50])
        query = {param: owner["id"], "name": f"Fill {operation}"}
        response = await client.call("POST", f"/v1/bulk/{operation}", params=query, json=items)
        assert response.status == 202, response.body
        await work(ctx)
    opt_in = {"opted_in": False, "by": "contact"}
    await client.call("PUT", f"/v1/contacts/{made['id']}/opt-ins/{channel['id']}", json=opt_in)
    return str(made["id"])


async def test_a_contact_is_found_and_shows_what_it_belongs_to(
    ctx: Context, client: Client, tab: Tab
) -> None:
    await tab.open("/contacts")
    await tab.text("The account has no contacts yet.").wait_for()
    contact_id = await _fill(ctx, client)
    await tab.page.reload()
    await tab.text("25 contacts").wait_for()
    assert await tab.page.locator("tbody tr").count() == 20
    await tab.look("contacts")
    await tab.page.get_by_role("link", name="Older").click()
    await tab.page.get_by_role("link", name="First page").wait_for()
    assert await tab.page.locator("tbody tr").count() == 5
    search = tab.page.get_by_label("Name or phone number")
    await search.fill("nobody has this")
    await search.press("Enter")
    await tab.text("No contact has").wait_for()
    await tab.page.get_by_label("Name or phone number").fill("<script>")
    await tab.page.keyboard.press("Enter")
    await tab.text("1 found").wait_for()
    assert "search=%3Cscript%3E" in tab.page.url
    await tab.page.locator("tbody a").focus()
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(f"**/contacts/{contact_id}")
    main = tab.page.locator("main")
    for text in ("ext<&>", "<b>key</b>", "opted out", "the contact", "Last changes", "label:lbl_",
                 "Fill lists.add", "Fill labels.attach",
                 "Fill audiences.add", "last 3 jobs"):  # fmt: skip
        await main.get_by_text(text).first.wait_for()
    assert await main.locator("a.tag").count() == 3
    assert await main.get_by_text(LONG.strip()).is_visible() is False
    await tab.look("contact")
    await main.locator("summary").focus()
    await tab.page.keyboard.press("Enter")
    await main.get_by_text(LONG.strip()).wait_for()
    await main.locator("a.tag").first.click()
    await tab.page.get_by_role("heading", name="Members").wait_for()
    assert await tab.page.locator("tbody tr").count() == 20
    await tab.look("list")
    await tab.page.get_by_role("link", name="Next").click()
    await tab.page.get_by_role("link", name="First page").wait_for()
    assert await tab.page.locator("tbody tr").count() == 5


async def test_the_jobs_of_a_contact_are_found_in_steps(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_jobs, "LOOKED_JOBS", 2)
    monkeypatch.setattr(contact_jobs, "LOOKED_CHUNKS", 3)
    account_id = client.account.id
    once = await make_job(ctx, account_id, [contact(1), contact(2)])
    often = await make_job(ctx, account_id, [contact(n) for n in (1, 3, 1, 4, 5, 6, 7, 8)], chunk_items=2)
    for _ in range(3):
        await make_job(ctx, account_id, [contact(9)])
    await work(ctx)
    contact_id = await ctx.pool.fetchval("SELECT id FROM contacts WHERE phone = $1", phone(1))
    looks: list[Any] = []
    end: LookedAt | None = None
    while end or not looks:
        looked = await contact_jobs.look(ctx.pool, account_id, contact_id, after=end)
        looks.append([(job.id, job.item_index, job.outcome.word, job.items) for job in looked.found])
        end = looked.end
        assert len(looks) < 10
    found = [job for look in looks for job in look]
    assert [(job[0], job[1]) for job in found] == [(often, 2), (once, 0)]
    assert looks[0] == []  # the two newest jobs do not name it
    assert len(looks) == 4  # two others; the third, and two chunks of `often`; its rest, and `once`; nothing


async def test_resources_are_created_and_changed_with_forms(client: Client, tab: Tab) -> None:
    page = tab.page
    await make(client, "/v1/teams", name="Sales")
    for noun in ("list", "label", "audience"):
        path = f"/{noun}s"
        await tab.open(path)
        await tab.text(f"The account has no {noun}s yet.").wait_for()
        for name in (HOSTILE[:50], "Second"):
            await tab.open(path)
            await page.get_by_text(f"New {noun}").press("Enter")
            await page.get_by_label("Name").fill(name)
            if noun == "label":
                await page.get_by_label("Colour").fill("#1F77b4")
                await page.get_by_label("Team").select_option("Sales")
            await page.get_by_role("button", name=f"Create {noun}").press("Enter")
            await page.get_by_role("heading", name="Members").wait_for()
        await page.get_by_text("Change" if noun == "label" else "Rename", exact=True).press("Enter")
        await page.get_by_label("Name").fill("Third")
        await page.get_by_role("button", name="Save").press("Enter")
        await page.get_by_role("heading", name="Third").wait_for()
        await page.get_by_text("Change" if noun == "label" else "Rename", exact=True).press("Enter")
        await page.get_by_label("Name").fill(HOSTILE[:50])
        await page.get_by_role("button", name="Save").click()
        await page.locator(".error", has_text="choose another name").wait_for()
        tab.browser.messages.clear()  # the browser logs the status 422
        await tab.open(path)
        assert await page.locator("tbody tr").count() == 2
        await tab.look(f"resources-{noun}")
    await page.get_by_role("link", name="Channels").click()
    await page.get_by_text("New channel").click()
    await page.get_by_label("Name").fill("WhatsApp")
    await page.get_by_label("Phone").fill("12")
    await page.get_by_role("button", name="Create channel").click()
    await page.locator(".error").wait_for()
    assert await page.get_by_label("Name").input_value() == "WhatsApp"
    await tab.look("resources-channel-error")
    tab.browser.messages.clear()
    await page.get_by_label("Phone").fill("+1 415 555 0100")
    await page.get_by_role("button", name="Create channel").click()
    await page.locator("td", has_text="+14155550100").wait_for()
    await page.get_by_role("link", name="Properties").click()
    await page.get_by_text("New property").click()
    await page.get_by_label("Name").fill("plan")
    await page.get_by_label("Type").select_option("enum")
    await page.get_by_label("Options").fill("free\npaid <b>\n")
    await page.get_by_role("button", name="Create property").click()
    await page.locator("td", has_text="paid <b>").wait_for()
    await tab.open("/lists")
    await page.get_by_role("link", name="Third").click()
    await page.get_by_role("button", name="Archive").click()
    await page.get_by_role("button", name="Make active").wait_for()
    await tab.open("/lists?archived=true")
    await page.get_by_role("link", name="Third").wait_for()


async def test_limits_are_shown_as_gauges_that_stay_current(
    ctx: Context, session: aiohttp.ClientSession, tab: Tab
) -> None:
    await tab.open("/limits")
    await tab.text("Nothing is queued").wait_for()
    await tab.page.get_by_role("button", name="Sign out").click()
    tab.browser.messages.clear()
    client = await make_client(ctx, session, request_limit=30, item_limit=50)
    await tab.sign_in(client.key)
    tab.browser.messages.clear()
    await tab.open("/limits")
    await tab.text("0 of 30").wait_for()
    await client.submit_items([contact(n) for n in range(80)])
    await work(ctx)
    await tab.text("1 of 30").wait_for()
    await tab.text("50 of 50").wait_for()
    await tab.page.get_by_role("cell", name="contacts").wait_for()
    await tab.look("limits")
