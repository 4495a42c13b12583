"""The EventSource of a real browser reads the streams of events, and resumes, as the documentation says."""

import re
from pathlib import Path
from typing import Any

from storage.context import Context
from tests.factories import contact
from tests.integration.api.pages.tab import Tab
from tests.integration.api.service import Client, Service
from tests.integration.api.work import work
from tests.waiting import until

HOW_TO = Path(__file__).parents[4] / "docs" / "how-to" / "follow-a-job.md"
SECONDS = 20


async def test_the_script_of_the_documentation_follows_the_account(
    ctx: Context, client: Client, service: Service, tab: Tab
) -> None:
    scripts = re.findall(r"^```js\n(.*?)^```$", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)
    (script,) = [script for script in scripts if "new EventSource" in script]
    await tab.open("/")
    await tab.page.evaluate(
        f"() => {{ window.seen = []; const show = (job) => window.seen.push(job); {script} }}"
    )
    jobs = [await _run_job(ctx, client, tab, 1)]
    for feed in service.api.feeds.all:
        for follower in tuple(feed.followers):
            follower.end()
    jobs.append(await _run_job(ctx, client, tab, 2))
    ends = [job["id"] for job in await _seen(tab) if job["state"] == "completed"]
    assert sorted(ends) == sorted(jobs)


async def test_a_page_in_the_background_holds_no_connection(client: Client, tab: Tab) -> None:
    """Over HTTP/1.1 a browser has six to a host: with one in each tab, the seventh tab would never load."""
    await tab.page.add_init_script("""
        window.streams = [];
        const Real = EventSource;
        window.EventSource = class extends Real {
            constructor(address) { super(address); window.streams.push(this); }
        };
        Object.defineProperty(document, "hidden", { get: () => window.away ?? false });
    """)
    await tab.open("/")
    await _streams_are(tab, [1])
    await _look_away(tab, away=True)
    await _streams_are(tab, [2])
    job = (await client.submit_items([contact(1)])).json["id"]
    await _look_away(tab, away=False)
    await _streams_are(tab, [2, 1])
    await tab.page.locator(f"#{job}").wait_for()


async def _look_away(tab: Tab, *, away: bool) -> None:
    script = "(away) => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }"
    await tab.page.evaluate(script, away)


async def _streams_are(tab: Tab, states: list[int]) -> None:
    """Wait until the streams that the page has opened are in these states: 1 is open, 2 is closed."""

    async def reached() -> bool:
        found: list[int] = await tab.page.evaluate("() => window.streams.map((one) => one.readyState)")
        return found == states

    await until(reached, SECONDS)


async def _run_job(ctx: Context, client: Client, tab: Tab, number: int) -> str:
    """Run a job, and wait until the browser knows its end."""
    job: str = (await client.submit_items([contact(number)])).json["id"]
    await work(ctx)

    async def known() -> bool:
        return any(seen["id"] == job and seen["state"] == "completed" for seen in await _seen(tab))

    await until(known, SECONDS)
    return job


async def _seen(tab: Tab) -> list[Any]:
    seen: list[Any] = await tab.page.evaluate("() => window.seen")
    return seen
