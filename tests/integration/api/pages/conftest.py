"""Fixtures: a browser that is signed in, and a worker."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from schemas.settings import Settings
from tests.browser import browse
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import COOKIE, Client, Service, sign_in
from tests.workers import open_worker, serving


@pytest.fixture
async def tab(
    client: Client, service: Service, session: aiohttp.ClientSession, devtools: str
) -> AsyncIterator[Tab]:
    """Open a browser that is signed in as the client. No page may log an error, or load from elsewhere."""
    async with browse(devtools) as browser:
        tab = Tab(browser, f"http://127.0.0.1:{service.port}")
        await tab.take(COOKIE, await sign_in(session, client.key))
        yield tab
        assert {url.startswith((tab.host, "data:", "blob:")) for url in browser.requests} == {True}
        assert browser.messages == []


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[None]:
    """Run a worker beside the api."""
    async with open_worker(settings) as worker, serving(worker):
        yield
