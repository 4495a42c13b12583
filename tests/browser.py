"""Headless Chromium, where Debian's is installed, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Page, async_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Browser:
    """One page: `asked` are the addresses that it requested, `complaints` what stands in its log."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@asynccontextmanager
async def browse() -> AsyncIterator[Browser]:
    """A browser with nothing in its memory."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        browser = Browser(await chromium.new_page())
        browser.page.set_default_timeout(20_000)  # milliseconds
        browser.page.on("request", lambda request: browser.asked.append(request.url))
        browser.page.on("console", lambda message: browser.complaints.append(message.text))
        browser.page.on("pageerror", lambda error: browser.complaints.append(str(error)))
        yield browser
        await chromium.close()
