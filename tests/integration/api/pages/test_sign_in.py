"""Sign in, sign out, and what a session may do."""

import re

import aiohttp
import pytest
from playwright.async_api import expect

from storage.access import api_keys
from storage.context import Context
from tests.browser import browse
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import Client, Service

TOKEN = re.compile(r'name="csrf-token" content="(\w+)"')
ITEM = [{"phone": "+14155550123"}]


@pytest.fixture
async def browser_session(client: Client, session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Return a session with the cookie of the client, as a browser has it."""
    session.cookie_jar.update_cookies({})
    async with session.post("/sign-in", data={"key": client.key}, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")
        name, cookie = next(iter(response.cookies.items()))
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        assert client.key not in cookie.value
    # the jar of aiohttp keeps no cookies of addresses
    session.headers["Cookie"] = f"{name}={cookie.value}"
    return session


async def test_the_first_page_asks_a_stranger_for_a_key(session: aiohttp.ClientSession) -> None:
    async with session.get("/") as response:
        assert (response.status, response.content_type) == (401, "text/html")
        assert "API key" in await response.text()
    async with session.get("/", headers={"Authorization": "Bearer bl_1_x"}) as response:
        assert response.status == 401


async def test_a_wrong_key_is_refused_and_counted(session: aiohttp.ClientSession) -> None:
    for _ in range(20):
        async with session.post("/sign-in", data={"key": "bl_1_wrong"}) as response:
            assert response.status == 401
            assert "unknown, revoked or expired" in await response.text()
            assert not response.cookies
    async with session.post("/sign-in", data={"key": "bl_1_wrong"}) as response:
        assert response.status == 429


async def test_another_site_cannot_sign_a_browser_in(client: Client, session: aiohttp.ClientSession) -> None:
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        form = {"key": client.key}
        async with session.post("/sign-in", data=form, headers=foreign, allow_redirects=False) as response:
            assert response.status == 401
            assert not response.cookies


@pytest.mark.parametrize(
    "following", ["//evil.example", "http://evil.example", "/\\evil.example", "/a\r\nX: y", ""]
)
async def test_a_sign_in_leads_to_no_other_host(
    client: Client, session: aiohttp.ClientSession, following: str
) -> None:
    form = {"key": client.key, "following": following}
    async with session.post("/sign-in", data=form, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/")


async def test_a_session_reads_the_api_and_changes_it_only_with_its_token(
    browser_session: aiohttp.ClientSession,
) -> None:
    async with browser_session.get("/") as response:
        found = TOKEN.search(await response.text())
        assert found
    async with browser_session.get("/v1/jobs") as response:
        assert response.status == 200
    path = "/v1/bulk/contacts.upsert"
    foreign = {"X-CSRF-Token": found[1], "Sec-Fetch-Site": "same-site"}
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, foreign):
        async with browser_session.post(path, json=ITEM, headers=headers) as response:
            assert response.status == 401
    async with browser_session.post(path, json=ITEM, headers={"X-CSRF-Token": found[1]}) as response:
        assert response.status == 202


async def test_a_session_ends_when_its_key_is_revoked(
    ctx: Context, client: Client, browser_session: aiohttp.ClientSession
) -> None:
    (key,) = await api_keys.list_keys(ctx.pool, client.account.id)
    await api_keys.revoke_key(ctx.pool, client.account.id, key.id)
    async with browser_session.get("/") as response:
        assert response.status == 401
        assert "API key" in await response.text()


async def test_a_foreign_cookie_is_nobody(client: Client, session: aiohttp.ClientSession) -> None:
    for value in ("x", client.key, "gAAAAAB" + "A" * 120, "ä"):
        headers = {"Cookie": f"bulklane_session={value}"}
        async with session.get("/v1/jobs", headers=headers) as response:
            assert response.status == 401


async def test_a_person_gets_errors_as_a_page_and_a_program_as_json(
    browser_session: aiohttp.ClientSession,
) -> None:
    async with browser_session.get("/nothing", headers={"Accept": "text/html"}) as response:
        assert (response.status, response.content_type) == (404, "text/html")
        text = await response.text()
        for part in ("There is nothing here", "There is nothing at /nothing.", "Check the address"):
            assert part in text
    async with browser_session.get("/nothing") as response:
        assert (response.status, response.content_type) == (404, "application/json")
    async with browser_session.get("/v1/nothing", headers={"Accept": "text/html"}) as response:
        assert response.content_type == "application/json"


async def test_signing_out_ends_the_session(tab: Tab, client: Client) -> None:
    await tab.open("/")
    await tab.page.get_by_role("button", name="Sign out").click()
    await tab.page.get_by_label("API key").wait_for()
    await tab.look("sign-in")
    await tab.sign_in(client.key)
    tab.browser.messages.clear()  # the browser logs the status 401 of the page that asks for a key


async def test_the_link_with_a_key_signs_in_and_leaves_no_trace(
    client: Client, service: Service, devtools: str
) -> None:
    host = f"http://127.0.0.1:{service.port}"
    async with browse(devtools) as browser:
        await browser.page.goto(f"{host}/sign-in#{client.key}")
        await browser.page.get_by_role("button", name="Sign out").wait_for()
        assert browser.page.url == f"{host}/"
        await browser.page.go_back()
        assert client.key not in browser.page.url
    assert not [url for url in browser.requests if client.key in url]


async def test_a_link_to_another_machine_signs_nobody_in_by_itself(
    client: Client, service: Service, devtools: str
) -> None:
    """A link can have the key of a foreign account, which would then receive what a person uploads."""
    remote = f"http://bulklane.test:{service.port}"
    async with browse(devtools) as browser:
        await browser.page.goto(f"{remote}/sign-in#{client.key}")
        await expect(browser.page.get_by_label("API key")).to_have_value(client.key)
        assert browser.page.url == f"{remote}/sign-in"
        # a form that was sent would have replaced the page before this answer
        await browser.page.evaluate("() => fetch('/healthz').then((response) => response.text())")
        await expect(browser.page.get_by_role("button", name="Sign in")).to_be_visible()
        assert browser.requests.count(f"{remote}/sign-in") == 1
