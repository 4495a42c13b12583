"""The site of the documentation in a browser, opened as files: it needs no server and no network."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser import Browser, browse

SITE = Path(__file__).parents[2] / "build" / "site"
NOTE = "Autofocus processing was blocked"  # the search leads to a heading, which keeps the focus
pytestmark = pytest.mark.skipif(not SITE.exists(), reason="the site is not built: ./run docs")


@pytest.fixture
async def browser(devtools: str) -> AsyncIterator[Browser]:
    """Open a browser. No page may log an error, or load anything from elsewhere."""
    async with browse(devtools) as browser:
        yield browser
        assert {url.partition(":")[0] for url in browser.requests} <= {"file", "data", "blob"}
        assert [message for message in browser.messages if not message.startswith(NOTE)] == []


async def test_the_search_leads_to_a_page_with_the_word(browser: Browser) -> None:
    page = browser.page
    await page.goto((SITE / "index.html").as_uri())
    await page.get_by_role("button", name="Search").first.click()
    await page.get_by_role("combobox").fill("KEEPALIVE_SECONDS")
    await page.get_by_role("option").filter(has_text="Connections").click()
    await expect(page).to_have_title("Settings - Bulklane")
    await expect(page.get_by_text("KEEPALIVE_SECONDS").first).to_be_visible()


async def test_a_diagram_is_shown_in_the_scheme_of_the_reader(browser: Browser) -> None:
    page = browser.page
    await page.emulate_media(color_scheme="dark")
    await page.goto((SITE / "design.html").as_uri())
    dark, light = (page.locator(f'img[src*="-{scheme}.svg"]').first for scheme in ("dark", "light"))
    await expect(dark).to_be_visible()
    await expect(light).to_be_hidden()
    assert await dark.evaluate("image => image.naturalWidth") > 0
