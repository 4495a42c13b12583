"""The pages of webhooks: make one, test it, look at what was sent, send it again, change it, delete it."""

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import expect

from schemas.settings import Settings
from storage.context import Context
from storage.webhooks import deliveries, endpoints
from tests.factories import make_job, phone
from tests.integration.api.pages.keyboard.walking import expect_question, go_to, press, walk
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import COOKIE, Client, csrf_token, sign_in
from tests.webhooks import all_ended, deliveries_of, make_webhook
from tests.workers import drain
from worker.webhooks.deliver import delivering

HOSTILE = "<script>alert(1)</script> \N{HEBREW LETTER ALEF} " + "x" * 1000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with which messages reach the endpoint, and one retry comes at once."""
    changes = {"webhook_private_addresses": "allow", "webhook_retry_seconds": (0.02,)}
    return settings.model_copy(update=changes)


class Endpoint:
    """An endpoint. It speaks HTTP itself, because an api in this process changes the server of aiohttp."""

    port = 0
    status = "500 no"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one message with the status and a hostile text."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length
        await reader.readexactly(int(length[1]))
        body = HOSTILE.encode()
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """Return an endpoint that fails."""
    endpoint = Endpoint()
    async with await asyncio.start_server(endpoint.answer, "127.0.0.1", 0) as server:
        endpoint.port = server.sockets[0].getsockname()[1]
        yield endpoint


async def run_job(ctx: Context, client: Client) -> None:
    await make_job(ctx, client.account.id, [{"phone": phone(1)}])
    await drain(ctx)


async def test_a_webhook_is_made_tested_mended_and_deleted(
    ctx: Context, client: Client, tab: Tab, endpoint: Endpoint
) -> None:
    page = tab.page
    await tab.open("/webhooks")
    await tab.text("The account has no webhooks yet.").wait_for()
    await page.get_by_text("New webhook").click()
    await page.get_by_label("URL").fill("ftp://example.com")
    await page.get_by_role("button", name="Create webhook").click()
    await page.locator(".error", has_text="http").wait_for()
    tab.browser.messages.clear()  # the browser logs the status 422
    await page.get_by_label("URL").fill(f"http://127.0.0.1:{endpoint.port}/hook")
    await page.get_by_label("Description").fill("<b>Our CRM</b>")
    await page.get_by_label("Id", exact=True).fill("crm")
    await page.get_by_label("job.throttled").uncheck()
    await page.get_by_role("button", name="Create webhook").click()
    await page.wait_for_url("**/webhooks/crm")
    await tab.text("Nothing was sent yet.").wait_for()
    hook = await endpoints.get(ctx.pool, client.account.id, "crm")
    assert hook is not None
    assert "job.throttled" not in hook.events
    assert (len(hook.events), hook.ordered) == (4, False)

    async with delivering(ctx):
        await run_job(ctx, client)
        await page.get_by_role("button", name="Send a test").click()
        await page.wait_for_url("**/deliveries/msg_*")
        await page.get_by_text("failed", exact=True).wait_for()  # the page loads itself again
        await expect(page.locator("tbody tr")).to_have_count(2)
        await page.locator("td", has_text="<script>alert(1)</script>").first.wait_for()
        await tab.look("delivery")
        await all_ended(ctx, client.account.id, "crm")
        endpoint.status = "200 OK"
        await page.get_by_text("Send again", exact=True).click()
        await page.get_by_role("button", name="Send it again").click()
        await page.get_by_text("delivered", exact=True).wait_for()
        await page.get_by_role("link", name="<b>Our CRM</b>").click()
        await page.get_by_role("link", name="Failed").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.get_by_text("Send again what has failed").click()
        await page.get_by_role("button", name="Send all of them again").click()
        await page.get_by_text("1 message is sent again.").wait_for()
        await all_ended(ctx, client.account.id, "crm")
    assert {row.state for row in await deliveries_of(ctx, client.account.id, "crm")} == {"delivered"}

    await tab.open("/webhooks/crm")
    await tab.look("webhook")
    await page.get_by_role("button", name="Show the secret").click()
    await page.get_by_text("whsec_").wait_for()
    await page.goto(f"{tab.host}/webhooks/crm")
    await expect(page.get_by_text("whsec_")).to_have_count(0)
    await page.get_by_text("Rotate", exact=True).click()
    await page.get_by_role("button", name="Make a new secret").click()
    await page.get_by_role("button", name="Show the secret").click()
    await page.get_by_text("signed with the previous one").wait_for()
    await tab.look("webhook-secret")
    await page.get_by_role("link", name="Hide it").click()
    await page.locator("#change summary").click()
    await page.get_by_label("One message at a time").check()
    await page.get_by_role("button", name="Save").click()
    await page.locator("dd", has_text="one message at a time").wait_for()
    await page.get_by_text("Switch off").click()
    await page.get_by_role("button", name="Switch it off").click()
    await page.get_by_text("It is off since").wait_for()
    await page.get_by_role("link", name="Webhooks").first.click()
    await tab.look("webhooks")
    await page.get_by_role("link", name="<b>Our CRM</b>").click()
    await page.get_by_role("button", name="Switch on").click()
    await page.get_by_role("button", name="Send a test").wait_for()
    await page.get_by_text("Delete", exact=True).click()
    await page.get_by_role("button", name="Delete the webhook").click()
    await tab.text("The account has no webhooks yet.").wait_for()


async def test_the_pages_of_webhooks_need_no_pointer(ctx: Context, client: Client, tab: Tab) -> None:
    await make_webhook(ctx, client.account.id, "https://example.com", "crm")
    row = await deliveries.queue_test(ctx.pool, client.account.id, "crm")
    assert row is not None
    await tab.open("/webhooks")
    await go_to(tab, "New webhook")
    await press(tab, "Enter")
    await walk(tab)
    await tab.open("/webhooks/crm")
    await walk(tab)
    await tab.page.locator(".skip").focus()
    for name, button in (
        ("Switch off", "Switch it off"),
        ("Delete", "Delete the webhook"),
        ("Rotate", "Make a new secret"),
    ):
        await expect_question(tab, name, button)
    await go_to(tab, "Change")
    await press(tab, "Enter")
    await go_to(tab, "Send again what has failed")
    await press(tab, "Enter")
    await walk(tab)
    await tab.page.get_by_role("link", name="webhook.test").focus()
    await press(tab, "Enter")
    await tab.page.wait_for_url("**/deliveries/msg_*")
    await walk(tab)


async def test_forms_say_what_is_wrong(ctx: Context, client: Client, session: aiohttp.ClientSession) -> None:
    cookie = await sign_in(session, client.key)
    headers, token = {"Cookie": f"{COOKIE}={cookie}"}, {"csrf_token": csrf_token(cookie)}
    await make_webhook(ctx, client.account.id, "https://example.com", "crm")
    good = {"url": "https://example.com", "event.job.failed": "on"}
    for form, message in (
        (good | {"id": "crm"}, "choose another one"),
        (good | {"id": "a b"}, "has 1 to 64 letters"),
        ({"url": "https://example.com"}, "at least 1"),
        (good | {"url": "https://user@example.com"}, "has a user or a password"),
    ):
        async with session.post("/webhooks", headers=headers, data=form | token) as response:
            assert response.status == 422, form
            assert message in (await response.text()).replace("&#39;", "'"), form
    async with session.post(
        "/webhooks/crm/test", headers=headers, data=token, allow_redirects=False
    ) as queued:
        assert queued.status == 303
    where = queued.headers["Location"]
    async with session.post(f"{where}/replay", headers=headers, data=token) as response:
        assert response.status == 409, "it has not ended"
    async with session.post(
        "/webhooks/crm/state", headers=headers, data=token | {"state": "half"}
    ) as response:
        assert response.status == 422
    assert len(await endpoints.page(ctx.pool, client.account.id, after="", size=9)) == 1
