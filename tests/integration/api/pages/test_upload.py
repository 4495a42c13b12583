"""What the page that uploads files says before a file is sent, and what happens if the sending fails."""

import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Request, expect

from storage.context import Context
from storage.entities import channels, contact_lists, labels
from tests.integration.api.pages.tab import Tab
from tests.integration.api.pages.upload_form import choose, fields, press
from tests.integration.api.service import Client, make_client
from tests.waiting import until
from tests.workbooks import make_workbook, rows_of

HOSTILE = "<img src=x onerror=alert(1)>"
LINE = b"+14155550123,Ana\n"
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000}
FAST = {**SLOW, "uploadThroughput": -1}


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    """Return a file of 20 MB."""
    path = tmp_path / "large.csv"
    path.write_bytes(b"phone,name\n" + LINE * (20_000_000 // len(LINE)))
    return path


async def test_what_is_wrong_with_the_columns_is_said_before_the_file_is_sent(
    ctx: Context, tab: Tab, client: Client
) -> None:
    page = tab.page
    await labels.create(ctx.pool, client.account.id, name=HOSTILE)
    await tab.open("/upload")
    state = page.locator("#mapping-state")
    await choose(tab, f"{HOSTILE}.csv", f"Handy,{HOSTILE},Telefon,Name,,Name\n1,2,3,4,5,6\n".encode())
    assert await fields(tab) == ["phone", "", "", "name", "", ""]
    await expect(state).to_contain_text("Several columns are named “Name”")
    await page.locator("#mapping select").nth(3).select_option("")
    await expect(state).to_have_class("notice")
    await page.locator("#mapping select").nth(2).select_option("phone")
    await expect(state).to_contain_text("“Handy” and “Telefon” have the same field")
    await page.locator("#mapping select").nth(2).select_option("")
    await page.locator("#mapping select").nth(0).select_option("name")
    await expect(state).to_contain_text("No column is the phone")
    await page.locator("#mapping select").nth(4).select_option("gender")
    await expect(state).to_contain_text("A column without a name cannot be used")
    await expect(page.get_by_role("button", name="Send the file")).to_be_disabled()
    await tab.look("upload-problems")

    await page.get_by_label("What to do with each row").select_option("labels.attach")
    await expect(page.get_by_label("Label", exact=True)).to_contain_text(HOSTILE)
    await expect(page.locator("#mapping select").first).to_have_value("phone")
    assert await fields(tab) == ["phone", "", "", "", "", ""]
    await press(tab, "Check the file")  # without a label: the browser asks for it
    await expect(page.get_by_label("Label", exact=True)).to_be_focused()
    assert await client.jobs() == []

    await choose(tab, "table.xlsx", b"PK\x03\x04 xl/workbook.xml")
    await expect(page.locator("#preview-problem")).to_contain_text("save it as CSV")
    await page.get_by_label("What to do with each row").select_option("contacts.upsert")
    await choose(tab, "a.json", json.dumps([{"phone": "1", HOSTILE: {}}]).encode())
    await expect(page.locator("#preview")).to_contain_text(HOSTILE)
    await expect(page.get_by_role("button", name="Send the file")).to_be_enabled()


async def test_a_compressed_file_with_parameters_arrives_as_chosen(
    ctx: Context, tab: Tab, client: Client, worker: None
) -> None:
    page = tab.page
    list_ = await contact_lists.create(ctx.pool, client.account.id, name="Spring")
    for name in ("WhatsApp", "SMS"):
        await channels.create(ctx.pool, client.account.id, name=name, phone=None)
    await tab.open("/upload")
    await page.get_by_label("What to do with each row").select_option("lists.add")
    await page.get_by_label("List", exact=True).select_option("Spring")
    await page.get_by_text("More options").click()
    await page.get_by_label("Opt the contacts in to").select_option("some")
    await page.get_by_label("SMS").check()
    await page.get_by_label("Tags, separated by commas").fill("spring, vip")
    await tab.look("upload-options")
    await choose(tab, "people.csv.gz", gzip.compress("Tel.;Name;Foo\n+14155550123;Zoë;1\n".encode("utf-16")))
    await press(tab, "Send the file")
    await page.wait_for_url("**/jobs/job_*")
    await expect(page.get_by_text("completed", exact=True).first).to_be_visible()
    (job,) = await client.jobs()
    assert (job["operation"], job["name"], job["tags"]) == ("lists.add", "people", ["spring", "vip"])
    found = await contact_lists.get(ctx.pool, client.account.id, list_.id)
    assert found is not None
    assert found.contact_count == 1
    (contact,) = (await client.get("/v1/contacts")).json["data"]
    assert contact["name"] == "Zoë"
    opt_ins = (await client.get(f"/v1/contacts/{contact['id']}/opt-ins")).json["data"]
    assert [opt_in["channel_name"] for opt_in in opt_ins] == ["SMS"]


async def test_a_workbook_is_shown_and_sent(tab: Tab, client: Client, worker: None) -> None:
    table = [["Handy", "Vorname", "Notiz"], ["+14155550123", "Zoë", "ruft zurück"], ["12", "Rui", ""]]
    await tab.open("/upload")
    await choose(tab, "Kunden.xlsx", make_workbook({"Tabelle1": rows_of(table), "Tabelle2": ""}))
    await expect(tab.page.locator("#preview")).to_contain_text("the first sheet of an Excel workbook")
    await expect(tab.page.locator("#preview")).to_contain_text("ruft zurück")
    assert await fields(tab) == ["phone", "name", ""]
    await tab.look("upload-workbook")
    await tab.page.get_by_text("More options").click()
    await tab.page.get_by_label("Give them back").check()
    await press(tab, "Send the file")
    await tab.page.wait_for_url("**/jobs/job_*")
    await expect(tab.page.get_by_text("completed with errors", exact=True).first).to_be_visible()
    (job,) = await client.jobs()
    assert (job["name"], job["file_name"], job["counts"]["created"]) == ("Kunden", "Kunden.xlsx", 1)
    errors = await client.get(f"{job['errors_url']}?format=csv")
    assert errors.body.startswith(b"Handy,Vorname,Notiz,bulklane_index,")


async def test_an_upload_shows_its_progress_stops_and_is_accepted_once(
    ctx: Context, tab: Tab, session: aiohttp.ClientSession, large_file: Path
) -> None:
    limited = await make_client(ctx, session, request_limit=2)
    await tab.sign_in(limited.key)
    page = tab.page
    await _open_with(tab, large_file)
    network = await page.context.new_cdp_session(page)
    await network.send("Network.emulateNetworkConditions", SLOW)
    async with page.expect_request("**/v1/bulk/**") as first:
        await press(tab, "Send the file")
    await expect(page.locator("#send [data-progress]")).to_contain_text("left")
    await tab.look("upload-progress")
    await page.locator("#send [data-abort]").press("Enter")
    await expect(page.locator("#send [data-transfer]")).to_be_hidden()
    await network.send("Network.emulateNetworkConditions", FAST)

    await _open_with(tab, large_file)  # the same file after a reload: the same request
    async with page.expect_request("**/v1/bulk/**") as second:
        await press(tab, "Send the file")
    await page.wait_for_url("**/jobs/job_*")
    assert await _key(first) == await _key(second)
    assert len([job for job in await limited.jobs() if job["accepted_at"]]) == 1

    await _open_with(tab, large_file)
    async with page.expect_request("**/v1/bulk/**") as third:
        await press(tab, "Check the file")
    assert await _key(third) != await _key(second)  # which was accepted
    refused = page.locator("#check-controls [data-failure]")
    await expect(refused).to_contain_text("More than 2 bulk requests")
    await expect(refused.get_by_role("button")).to_contain_text("Try again in")
    await tab.look("upload-refused")
    tab.browser.messages.clear()  # the browser logs the status 429


async def test_who_stops_after_the_last_byte_is_led_to_the_job(
    ctx: Context, tab: Tab, session: aiohttp.ClientSession
) -> None:
    waits = await make_client(ctx, session, default_wait=60)  # for the end of a job, and nobody works
    await tab.sign_in(waits.key)
    page = tab.page
    await tab.open("/upload")
    await choose(tab, "people.csv", b"phone\n+14155550123\n")
    send = page.locator("#send")
    await press(tab, "Send the file")
    await expect(send.locator("[data-progress]")).to_contain_text("waiting for the answer")
    await until(lambda: _accepted(waits))
    await send.locator("[data-abort]").press("Enter")
    await expect(page.get_by_role("button", name="Send the file")).to_be_focused()
    await expect(send.get_by_role("alert")).to_contain_text(
        "accepted it. If it is not wanted, cancel its job: people"
    )
    await tab.picture("upload-stopped")
    await send.get_by_role("link", name="people").press("Enter")
    await page.wait_for_url("**/jobs/job_*")


async def _accepted(client: Client) -> bool:
    return [bool(job["accepted_at"]) for job in await client.jobs()] == [True]


async def _open_with(tab: Tab, file: Path) -> None:
    await tab.open("/upload")
    await tab.page.locator("#file").set_input_files(file)
    await tab.page.locator("#mapping").wait_for()


async def _key(sent: Any) -> str:  # what `expect_request` returns
    request: Request = await sent.value
    return (await request.all_headers())["idempotency-key"]
