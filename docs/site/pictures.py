"""Renew the pictures: diagrams, and what browser and terminal show of a service that has sample jobs."""

import asyncio
import base64
from pathlib import Path
from tempfile import TemporaryDirectory

from bulklane import Bulklane, Job
from docs.site import diagrams, terminal
from docs.site.stage import DOCS, REPOSITORY
from tests.acceptance.service import Service, csv_of, environment, serving
from tests.browser import browse, chromium
from tests.integration.api.pages.tab import Scheme, Tab
from tests.integration.api.pages.upload_form import choose, press
from tests.waiting import wait_for

SCREENSHOTS = DOCS / "pictures"
SIZE = {"width": 1200, "height": 760, "deviceScaleFactor": 1.5, "mobile": False}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
NAMES = ("Ana Silva", "Rui Costa", "Mei Tanaka", "Jonas Weber", "Priya Nair", "Omar Haddad", "Lucía Gómez")
FILE = (
    "Mobile No.;Full Name;E-Mail;Customer number;Last order\n"
    "0151 12345678;Jürgen Weber;juergen@example.com;K-1;2026-10-02\n"
    "0170 2223344;Ana Silva;ana@example.com;K-2;2026-11-19\n"
    "+351 912 345 678;Rui Costa;rui@example.com;K-3;2026-09-30\n"
).encode()


def renew() -> None:
    """Draw all diagrams, and take a screenshot of each page in light and dark."""
    with TemporaryDirectory() as folder, chromium() as devtools, serving(Path(folder) / "home") as service:
        (Path(folder) / "customers.csv").write_bytes(csv_of(rows(4_000, bad=211)))
        command = ["bulklane", "send", "customers.csv", "--errors-to", "bad.csv"]
        terminal.picture(command, environment(service.home), Path(folder), SCREENSHOTS / "send")
        asyncio.run(_draw(devtools, service))


def send_ended(client: Bulklane) -> Job:
    """Send jobs and wait for their ends; return one with errors."""
    send = client.jobs.submit
    label = client.labels.create("VIP", colour="#1f77b4")
    sample = REPOSITORY / "examples" / "contacts.csv"
    send(sample, name="Sign-ups of November", tags=["web"]).wait(timeout=60)
    nightly = send(rows(18_000, bad=691), name="Nightly CRM sync", tags=["crm"]).wait(timeout=120)
    vips = [{"phone": row["phone"]} for row in rows(300)]
    send(vips, operation="labels.attach", label_id=label.id, name="VIPs").wait(timeout=60)
    send(rows(2_000), name="Price list, checked", dry_run=True).wait(timeout=60)
    return nightly


def send_waiting(client: Bulklane) -> None:
    """Send a job that the item window of the account stops after a part, and one that waits behind it."""
    job = client.jobs.submit(rows(60_000), name="Customers of the shop", tags=["shop"])
    client.jobs.submit(rows(5_000), name="Nightly CRM sync", tags=["crm"])
    wait_for(lambda: client.jobs.get(job.id).throttled_until, seconds=60)


def rows(number: int, *, bad: int = 0) -> list[dict[str, str]]:
    """Return contacts. Of each `bad`, one has a wrong phone number and one a wrong e-mail address."""
    return [
        {
            "phone": "0151" if bad and at % bad == 17 else f"+49151{12_000_000 + at}",
            "name": NAMES[at % len(NAMES)],
            "email": "ana@example" if bad and at % bad == 40 else f"contact{at}@example.com",
            "external_id": f"K-{at}",
        }
        for at in range(number)
    ]


async def _draw(devtools: str, service: Service) -> None:
    async with browse(devtools) as browser:
        await diagrams.draw(browser.page)
    dev = service.dev
    async with browse(devtools) as browser:
        tab = Tab(browser, dev["url"])
        await tab.sign_in(dev["api_key"])
        with Bulklane(url=dev["url"], key=dev["api_key"]) as client:
            job = send_ended(client)
            await _upload(tab)
            send_waiting(client)
        for name, path in (("jobs", "/"), ("job", f"/jobs/{job.id}"), ("contacts", "/contacts")):
            await tab.open(path)
            await _take(tab, name)
        await tab.page.goto(f"{dev['url']}/operator/sign-in#{dev['operator_key']}")
        await tab.page.get_by_role("button", name="Sign out").wait_for()
        await _take(tab, "operator")


async def _upload(tab: Tab) -> None:
    """Take the picture of a file that was checked."""
    await tab.open("/upload")
    await choose(tab, "Kunden.csv", FILE)
    await tab.page.get_by_text("More options").press("Enter")
    await tab.page.get_by_label("Country of numbers").fill("de")
    await press(tab, "Check the file")
    await tab.page.locator("#check-result .badge").get_by_text("error").wait_for()
    await tab.page.evaluate("document.querySelector('#mapping').scrollIntoView()")
    await _take(tab, "upload")


async def _take(tab: Tab, name: str) -> None:
    """Write a picture of what the window shows, in light and dark."""
    devtools = await tab.page.context.new_cdp_session(tab.page)
    await devtools.send("Emulation.setDeviceMetricsOverride", SIZE)
    await tab.page.evaluate("document.documentElement.style.scrollbarGutter = 'auto'")
    for scheme in SCHEMES:
        await tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        taken = await devtools.send("Page.captureScreenshot", {"format": "webp", "quality": 80})
        (SCREENSHOTS / f"{name}-{scheme}.webp").write_bytes(base64.b64decode(taken["data"]))
    await devtools.detach()
