"""A browser that is signed in, and what each page is checked for."""

import os
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Locator, Page

from tests.browser import Browser

SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder that keeps a picture of each page
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

Scheme = Literal["light", "dark"]
# A check takes a second and a picture half of one, so a page is not looked at in the other two forms.
FORMS: tuple[tuple[Scheme, str], ...] = (("light", "wide"), ("dark", "narrow"))


class Tab:
    """One page of a browser at a service."""

    def __init__(self, browser: Browser, host: str) -> None:
        self.browser = browser
        self.page: Page = browser.page
        self.host = host

    async def open(self, path: str) -> None:
        """Load a page of the service."""
        response = await self.page.goto(self.host + path)
        assert response is not None
        assert response.status == 200, (path, response.status)

    async def take(self, cookie: str, value: str) -> None:
        """Take the cookie of a session that began without this browser: the form takes longer."""
        await self.page.context.add_cookies(
            [{"name": cookie, "value": value, "url": self.host, "httpOnly": True, "sameSite": "Strict"}]
        )

    async def sign_in(self, key: str) -> None:
        """Sign in with the form."""
        await self.page.goto(f"{self.host}/sign-in")
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("button", name="Sign out").wait_for()

    def text(self, text: str) -> Locator:
        """Return the element with this text."""
        return self.page.get_by_text(text)

    async def look(self, name: str) -> None:
        """Check the page in light and wide, dark and narrow: accessible, and without a sideways scroll.

        Keeps a screenshot of both forms in the folder SCREENSHOTS.
        """
        for scheme, width in FORMS:
            await self._show(name, scheme, width)
            await self._check(f"{name} ({scheme}, {width})")
        await self._reset()

    async def picture(self, name: str) -> None:
        """Keep screenshots of a page that is not checked, because it is like one that is."""
        if SCREENSHOTS:
            for scheme, width in FORMS:
                await self._show(name, scheme, width)
            await self._reset()

    async def _show(self, name: str, scheme: Scheme, width: str) -> None:
        await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await self.page.set_viewport_size(WIDE if width == "wide" else NARROW)  # type: ignore[arg-type]
        if SCREENSHOTS:
            path = Path(SCREENSHOTS) / f"{name}-{scheme}-{width}.png"
            await self.page.screenshot(path=path, full_page=True)

    async def _check(self, name: str) -> None:
        overflow = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} pixels"
        found = await violations(self.page)
        assert found == [], (name, found)

    async def _reset(self) -> None:
        await self.page.emulate_media(color_scheme="light")
        await self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]


async def violations(page: Page) -> list[Any]:
    """Return what axe-core objects to, as (rule, elements)."""
    found = await Axe().run(page, options=RULES)
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in found.response["violations"]
    ]
