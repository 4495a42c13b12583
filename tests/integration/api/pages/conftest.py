"""Fixtures: a browser that is signed in, and a worker."""

from collections.abc import AsyncIterator

import pytest

from schemas.settings import Settings
from tests.browser import CHROMIUM, browse
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import Client, Service
from tests.workers import open_worker, serving


@pytest.fixture
async def tab(client: Client, service: Service) -> AsyncIterator[Tab]:
    """Open a browser that is signed in as the client. No page may log an error, or load from elsewhere."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    async with browse() as browser:
        tab = Tab(browser, f"http://127.0.0.1:{service.port}")
        await tab.sign_in(client.key)
        yield tab
        assert {url.startswith((tab.host, "data:", "blob:")) for url in browser.requests} == {True}
        assert browser.messages == []


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[None]:
    """Run a worker beside the api."""
    async with open_worker(settings) as worker, serving(worker):
        yield
