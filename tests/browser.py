"""Drive headless Chromium with Playwright; the environment variable CHROMIUM names another binary."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Page, async_playwright, expect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

PATIENCE = 20_000  # milliseconds
expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True, slots=True)
class Browser:
    """A page; `requests` are the URLs that it requested, `messages` its console messages and errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@asynccontextmanager
async def browse(*options: str) -> AsyncIterator[Browser]:
    """Start a browser with an empty profile, and further options of the command line."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=(*OPTIONS, *options))
        browser = Browser(await chromium.new_page())
        browser.page.set_default_timeout(PATIENCE)
        browser.page.on("request", lambda request: browser.requests.append(request.url))
        browser.page.on("console", lambda message: browser.messages.append(message.text))
        browser.page.on("pageerror", lambda error: browser.messages.append(str(error)))
        yield browser
        await chromium.close()
