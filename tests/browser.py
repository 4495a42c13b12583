"""Drive headless Chromium with Playwright; the environment variable CHROMIUM names another binary.

A test session starts one Chromium, since a start costs more than most tests of a page. Each test has
a profile of its own in it.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from signal import SIGKILL

from playwright.async_api import Page, async_playwright, expect

from embedded.servers.child import die_with
from tests.servers import make_scratch_folder
from tests.waiting import wait_for

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
# Some of these are of Playwright's own start: no scroll bars that take width, and timers that always run.
OPTIONS = (
    "--headless", "--remote-debugging-port=0", "--no-startup-window", "--no-sandbox", "--disable-gpu",
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-breakpad",
    "--disable-component-extensions-with-background-pages", "--metrics-recording-only", "--hide-scrollbars",
    "--password-store=basic", "--use-mock-keychain", "--force-color-profile=srgb", "--mute-audio",
    "--disable-back-forward-cache", "--disable-ipc-flooding-protection", "--disable-dev-shm-usage",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-features=Translate,MediaRouter,OptimizationHints,HttpsUpgrades",
    "--host-resolver-rules=MAP bulklane.test 127.0.0.1",  # the name of another machine
)  # fmt: skip

START_SECONDS = 60.0
PATIENCE = 20_000  # milliseconds
expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True, slots=True)
class Browser:
    """A page; `requests` are the URLs that it requested, `messages` its console messages and errors."""

    page: Page
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[str]:
    """Run Chromium while the body runs. Return the URL of its DevTools.

    It also dies with the test process.
    """
    assert CHROMIUM is not None
    folder = make_scratch_folder()
    process = subprocess.Popen(
        [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=partial(die_with, os.getpid(), SIGKILL),  # noqa: PLW1509 - it calls one function of libc
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{wait_for(lambda: _port(folder, process), seconds=START_SECONDS)}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _port(folder: Path, process: "subprocess.Popen[bytes]") -> str | None:
    """Return the port that Chromium has written, when it has."""
    assert process.poll() is None, f"{CHROMIUM} ended with {process.returncode} during the start"
    path = folder / "DevToolsActivePort"
    lines = path.read_text().splitlines() if path.exists() else []
    return lines[0] if len(lines) == 2 else None


@asynccontextmanager
async def browse(devtools: str) -> AsyncIterator[Browser]:
    """Open a page with an empty profile in the browser whose DevTools have this URL."""
    async with async_playwright() as playwright:
        connection = await playwright.chromium.connect_over_cdp(devtools, is_local=True)
        profile = await connection.new_context()
        browser = Browser(await profile.new_page())
        browser.page.set_default_timeout(PATIENCE)
        browser.page.on("request", lambda request: browser.requests.append(request.url))
        browser.page.on("console", lambda message: browser.messages.append(message.text))
        browser.page.on("pageerror", lambda error: browser.messages.append(str(error)))
        yield browser
        await profile.close()
