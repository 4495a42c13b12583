"""The pages of the operator, in a real browser: what waits, accounts with limits and keys, jobs."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import expect

from api.routes import OPERATOR_PAGE_ROUTES
from schemas.settings import Settings
from storage.access import api_keys
from storage.context import Context
from storage.entities import accounts
from storage.pipeline import failures
from tests.browser import browse
from tests.factories import contact, make_account, make_job
from tests.integration.api.operator.operator_client import OPERATOR_KEY
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import COOKIE, Client, Service, csrf_token, make_client, serve, sign_in
from tests.integration.api.work import work
from tests.workers import claim
from worker.signs.heartbeat import beating

OPERATOR_COOKIE = "bulklane_operator"
PRIVATE = [route for route in OPERATOR_PAGE_ROUTES if not route.public]


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """Run an api with OPERATOR_KEY."""
    async with serve(settings.model_copy(update={"operator_key": OPERATOR_KEY})) as service:
        yield service


@pytest.fixture
async def operator(service: Service, session: aiohttp.ClientSession, devtools: str) -> AsyncIterator[Tab]:
    """Open a browser that is signed in as the operator."""
    async with browse(devtools) as browser:
        tab = Tab(browser, f"http://127.0.0.1:{service.port}")
        await tab.take(OPERATOR_COOKIE, await _sign_in(session))
        yield tab
        assert browser.messages == []


async def _sign_in(session: aiohttp.ClientSession) -> str:
    """Return the cookie of a session of the operator."""
    form = {"key": OPERATOR_KEY, "following": "/operator/jobs"}
    async with session.post("/operator/sign-in", data=form, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/operator/jobs")
        cookie = response.cookies[OPERATOR_COOKIE]
        assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/operator", True, "Strict")
        return cookie.value


async def test_no_other_session_and_no_key_in_a_header_opens_a_page_of_the_operator(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    """The matrix of sessions and pages. The cookie of an account is none of the operator's."""
    mine, theirs = await sign_in(session, client.key), await _sign_in(session)
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": f"Bearer {OPERATOR_KEY}"},
        {"Cookie": f"{COOKIE}={mine}"},
        {"Cookie": f"{OPERATOR_COOKIE}={mine}"},
        {"Cookie": f"{COOKIE}={theirs}"},
    ]
    for route in PRIVATE:
        path = route.path.replace("{account}", f"org_{client.account.id}").replace("{key}", "k")
        path = path.replace("{job_id}", "job_01KANP8S3V0000000000000001")
        for headers in wrong:
            async with session.request(route.method, path, headers=headers) as response:
                assert response.status == 401, (route, headers)
                assert "Key of the operator" in await response.text()
        if route.method == "POST":
            for form in ({}, {"csrf_token": csrf_token(mine)}):
                right = {"Cookie": f"{OPERATOR_COOKIE}={theirs}"}
                async with session.post(path, headers=right, data=form) as response:
                    assert response.status == 401, route
                    assert "older session" in await response.text()
    for path in ("/", "/v1/jobs", "/v1/accounts"):
        for name in (COOKIE, OPERATOR_COOKIE):
            async with session.get(path, headers={"Cookie": f"{name}={theirs}"}) as response:
                assert response.status == 401, path
    assert len(await api_keys.list_keys(ctx.pool, client.account.id)) == 1


async def test_a_wrong_key_of_the_operator_is_refused_and_counted(session: aiohttp.ClientSession) -> None:
    statuses = []
    for _ in range(21):
        async with session.post("/operator/sign-in", data={"key": "wrong"}) as response:
            statuses.append(response.status)
            assert not response.cookies
    assert statuses == [401] * 20 + [429]


async def test_without_a_key_of_the_operator_there_is_no_page(settings: Settings) -> None:
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        for path in ("/operator", "/operator/sign-in", "/operator/accounts"):
            async with session.get(path, headers={"Accept": "text/html"}) as response:
                assert response.status == 404
                assert "perator" not in (await response.text()).replace(path, "")


async def test_the_overview_shows_what_waits_and_who_works(
    ctx: Context, operator: Tab, client: Client
) -> None:
    await operator.page.context.clear_cookies()
    await operator.page.goto(f"{operator.host}/operator/sign-in#{OPERATOR_KEY}")
    await operator.page.get_by_role("button", name="Sign out").wait_for()
    assert operator.page.url == f"{operator.host}/operator"
    assert not [url for url in operator.browser.requests if OPERATOR_KEY in url]
    operator.browser.messages.clear()  # Chromium misses a user name beside the key
    await operator.page.get_by_text("No worker is seen").wait_for()
    failing = await make_job(ctx, client.account.id, [contact(1)], stream="failing")
    await failures.count(ctx.pool, client.account.id, failing)
    async with beating(ctx):
        for n in range(3):
            await make_job(ctx, client.account.id, [contact(n) for n in range(10 * (n + 1))])
        await claim(ctx)
        # the page loads itself again
        await operator.page.get_by_text("works", exact=True).wait_for()
        await operator.page.locator("#waiting").get_by_text(client.account.name).wait_for()
        await operator.page.get_by_text("failed 1 time").wait_for()
        await operator.look("operator-overview")
    await operator.page.get_by_text("No worker is seen").wait_for()


async def test_limits_are_changed_and_keys_are_made_and_revoked(
    ctx: Context, operator: Tab, session: aiohttp.ClientSession
) -> None:
    """With the keyboard where it matters: the form in the list opens with Enter."""
    page = operator.page
    for n in range(25):
        await make_account(ctx, name=f"account {n:02}", request_limit=30, item_limit=30_000)
    await operator.open("/operator")
    await page.get_by_role("link", name="Accounts").click()
    await page.get_by_role("link", name="account 19").wait_for()
    await operator.look("operator-accounts")
    await page.get_by_role("link", name="Next page").click()
    await page.get_by_role("link", name="account 24").wait_for()

    await page.get_by_label("The name begins with").fill("ACCOUNT 07")
    await page.get_by_role("button", name="Search").press("Enter")
    await expect(page.locator("#accounts tbody tr")).to_have_count(1)
    await page.locator("#accounts summary").press("Enter")
    await operator.look("operator-limits")
    await page.get_by_label("Items (0: no limit)").fill("500")
    await page.get_by_label("Items (0: no limit)").press("Enter")
    await page.get_by_role("link", name="account 19").wait_for()  # the whole list
    changed = await accounts.by_name(ctx.pool, "account 07")
    assert changed is not None
    assert (changed.item_limit, changed.request_limit) == (500, 30)

    await page.get_by_role("link", name="account 07", exact=True).click()
    await page.get_by_label("Region, like IN").fill("XX")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("alert").get_by_text("is not a region").wait_for()
    operator.browser.messages.clear()  # the browser logs the status 422
    await page.get_by_label("Region, like IN").fill("in")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Region, like IN")).to_have_value("IN")

    await page.get_by_label("Name of a new key").fill("ci")
    await page.get_by_role("button", name="Create a key").click()
    key = await page.locator("#new-key .mono").inner_text()
    await page.get_by_role("button", name="Copy the key").wait_for()
    await operator.look("operator-account")
    async with session.get("/v1/jobs", headers={"x-api-key": key}) as response:
        assert response.status == 200
    await page.goto(f"{operator.host}/operator/accounts/org_{changed.id}")
    assert key not in await page.content()
    await page.get_by_text("Revoke ci").click()
    await page.get_by_role("button", name="Revoke the key").click()
    await expect(page.get_by_text("Revoke ci")).to_have_count(0)
    async with session.get("/v1/jobs", headers={"x-api-key": key}) as response:
        assert response.status == 401


async def test_an_account_is_created_and_a_name_that_is_taken_is_explained(
    ctx: Context, operator: Tab
) -> None:
    page = operator.page
    await make_account(ctx, name="taken")
    refused = await operator.page.goto(f"{operator.host}/operator/accounts?cursor=nonsense")
    assert refused is not None
    assert refused.status == 422
    operator.browser.messages.clear()  # Chromium reports the status
    await operator.open("/operator/accounts")
    for name in ("taken", "<b>new & odd"):
        await page.get_by_label("Name", exact=True).fill(name)
        await page.get_by_role("button", name="Create").click()
        if name == "taken":
            await page.get_by_role("alert").get_by_text("another account has the name").wait_for()
            operator.browser.messages.clear()  # the browser logs the status 409
    await page.get_by_role("heading", name="<b>new & odd").wait_for()
    await page.get_by_text("The account has no key yet.").wait_for()


async def test_jobs_of_all_accounts_are_filtered_and_cancelled(
    ctx: Context, operator: Tab, client: Client, session: aiohttp.ClientSession
) -> None:
    page = operator.page
    other = await make_client(ctx, session, name="other")
    await client.submit_items([contact(1), {"phone": "12"}], query="?name=nightly")
    await work(ctx)
    for n in range(22):
        await make_job(ctx, other.account.id, [contact(n)])
    await operator.open("/operator/jobs")
    await operator.look("operator-jobs")
    await expect(page.locator("#jobs tbody tr")).to_have_count(20)
    await page.get_by_role("link", name="Older").click()
    await page.get_by_text("nightly").wait_for()
    await page.get_by_label("State").select_option("completed_with_errors")  # applies at once
    await expect(page.locator("#jobs tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="Show all").click()
    await page.get_by_label("Account (name or id)").fill("other")
    await page.get_by_role("button", name="Apply").click()
    await page.locator("#jobs a.row-link").first.click()
    await page.get_by_text("Cancel the rest").wait_for()
    await operator.look("operator-job")
    await page.get_by_text("Cancel the rest").click()
    await page.get_by_role("button", name="Cancel the items").click()
    await work(ctx)
    await page.locator(".badge[data-state=cancelled]").wait_for()
    await operator.open("/operator/jobs?account=other&state=cancelled")
    await expect(page.locator("#jobs tbody tr")).to_have_count(1)
