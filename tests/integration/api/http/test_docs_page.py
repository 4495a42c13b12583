"""The interactive page works in a browser, loads only our own files, and no other file is served."""

import re
from html.parser import HTMLParser

import aiohttp
import pytest
from yarl import URL

from api.handlers.reference import ASSETS
from storage.context import Context
from tests.browser import browse
from tests.integration.api.service import Service, make_client

TYPES = {"css": "text/css", "js": "text/javascript", "png": "image/png"}
ABSOLUTE = re.compile(rb"""(?:https?:)?//[\w.-]+""")


class Links(HTMLParser):
    """The files that a page loads, and its inline code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the addresses of loaded files, and inline styles, scripts and event handlers."""
        for name, value in attrs:
            if name in {"src", "href"} and value and tag != "a":
                self.links.append(value)
            if name == "style" or name.startswith("on"):
                self.inline.append(f"{tag} {name}")
        if tag == "style" or (tag == "script" and "src" not in dict(attrs)):
            self.inline.append(tag)


async def test_the_page_needs_no_key_and_loads_only_our_assets(session: aiohttp.ClientSession) -> None:
    async with session.get("/docs") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        page = Links(await response.text())
    assert {link.removeprefix("docs/") for link in page.links} == set(ASSETS)
    assert page.inline == []
    for link in page.links:
        async with session.get(f"/{link}") as response:
            assert response.status == 200
            assert response.content_type == TYPES[link.rpartition(".")[2]]
            assert len(await response.read()) > 100


async def test_a_slash_at_the_end_leads_to_the_page(session: aiohttp.ClientSession) -> None:
    async with session.get("/docs/") as response:
        assert (response.status, response.url.path) == (200, "/docs")


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/docs.css"])
async def test_our_own_files_name_no_other_host(session: aiohttp.ClientSession, path: str) -> None:
    async with session.get(path) as response:
        assert ABSOLUTE.findall(await response.read()) == []


@pytest.mark.parametrize("path", ["/docs", *(f"/docs/{name}" for name in ASSETS)])
async def test_the_content_security_policy_allows_no_other_host(
    session: aiohttp.ClientSession, path: str
) -> None:
    async with session.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    sources = {word for rule in policy.split(";") for word in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "data:"}
    assert "default-src 'none'" in policy


async def test_a_cached_asset_is_not_sent_again(session: aiohttp.ClientSession) -> None:
    async with session.get("/docs/swagger-ui-bundle.js") as response:
        assert response.headers["Cache-Control"] == "public, max-age=3600"
        tag = response.headers["ETag"]
    async with session.get("/docs/swagger-ui-bundle.js", headers={"If-None-Match": tag}) as response:
        assert (response.status, await response.read()) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/docs/index.html",
        "/docs/docs.html",
        "/docs/..%2fbuild.py",
        "/docs/%2e%2e%2f%2e%2e%2fapp.py",
        "/docs/..%5cbuild.py",
        "/docs/%2fetc%2fpasswd",
        "/docs/docs.js%00.png",
        "/docs/docs.js/",
    ],
)
async def test_no_other_file_is_served(service: Service, path: str) -> None:
    url = URL(f"http://127.0.0.1:{service.port}{path}", encoded=True)  # so that yarl does not normalise it
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "unknown_path"


async def test_a_user_enters_a_key_and_sends_a_request(
    ctx: Context, service: Service, session: aiohttp.ClientSession, devtools: str
) -> None:
    client = await make_client(ctx, session)
    host = f"http://127.0.0.1:{service.port}"
    async with browse(devtools) as browser:
        page = browser.page
        await page.goto(f"{host}/docs")
        await page.locator(".opblock").nth(20).wait_for()
        assert await page.title() == "Bulklane API"
        assert await page.locator(".topbar").count() == 0
        await page.locator(".btn.authorize").click()
        await page.locator("#auth-bearer-value").fill(client.key)
        await page.locator(".auth-btn-wrapper .authorize").first.click()
        await page.locator(".btn-done").first.click()
        operation = page.locator("#operations-Jobs-list_jobs")
        await operation.locator(".opblock-summary-control").click()
        await operation.locator(".execute").click()
        response = operation.locator(".live-responses-table .response")
        status = await response.locator(".response-col_status").inner_text()
        assert status.split()[0] == "200"
        assert '"data"' in await response.inner_text()
    assert {url.startswith((host, "data:")) for url in browser.requests} == {True}
    assert f"{host}/openapi.json" in browser.requests
    assert browser.messages == []
