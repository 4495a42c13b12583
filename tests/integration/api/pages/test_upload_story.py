"""A file with odd columns, from the choice of the file to its corrected rows, in a browser."""

import csv
import io
from pathlib import Path

from playwright.async_api import expect

from tests.integration.api.pages.tab import Tab
from tests.integration.api.pages.upload_form import choose, fields, press
from tests.integration.api.service import Client

LONG = "Ann" * 60
ODD = (
    "Mobile No.;Vorname;E-Mail Adresse;Kundennr;Notiz\n"
    "0151 12345678;Jürgen;juergen@example.com;K-1;ruft zurück\n"
    "+49 151 12345679;<script>alert(1)</script>;ana@example;K-2;\n"
    "12;עברית;eve@example.com;K-3;x\n"
    f"+4915112345680;{LONG};ann@example.com;K-4;y\n"
).encode("windows-1255", "replace")


async def test_a_file_is_mapped_checked_sent_corrected_and_sent_again(
    tab: Tab, client: Client, worker: None
) -> None:
    page = tab.page
    await tab.open("/upload")
    await tab.look("upload-empty")
    await choose(tab, "Kunden März.csv", ODD)
    await expect(page.get_by_label("Name of the job")).to_have_value("Kunden März")
    assert await fields(tab) == ["phone", "name", "email", "external_id", ""]
    await page.get_by_label("Charset of the file").select_option("windows-1255")
    await expect(page.locator("#mapping")).to_contain_text("עברית")
    await page.get_by_text("More options").press("Enter")
    await page.get_by_label("Country of numbers").fill("de")
    await tab.look("upload-columns")

    await page.get_by_label("Notiz").select_option("metadata.notiz")
    await press(tab, "Check the file")
    await expect(page.locator("#check-result .badge")).to_have_text("2 rows have an error")
    await expect(page.locator("#check-result")).to_contain_text("phone_too_short")
    assert (await client.get("/v1/contacts")).json["data"] == []
    await tab.look("upload-checked")
    await page.get_by_label("Notiz").select_option("")
    await expect(page.locator("#check-result")).to_be_hidden()  # it was the check of other columns
    await press(tab, "Check the file")
    await expect(page.locator("#check-result")).to_be_visible()
    await expect(page.locator("#check-result .badge")).to_have_text("2 rows have an error")

    await press(tab, "Send the file")
    await page.wait_for_url("**/jobs/job_*")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Kunden März")
    await expect(page.get_by_text("completed with errors").first).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV to correct and send back").click()
    errors = await _corrected(Path(await (await download.value).path()))

    await tab.open("/upload")
    await choose(tab, "errors.csv", errors)
    assert await fields(tab) == ["phone", "name", "email", "external_id", "", "", ""]
    await press(tab, "Send the file")
    await page.wait_for_url("**/jobs/job_*")
    await expect(page.get_by_text("completed", exact=True).first).to_be_visible()
    contacts = (await client.get("/v1/contacts")).json["data"]
    assert {contact["name"] for contact in contacts} == {"J?rgen", "<script>alert(1)</script>", "עברית", LONG}
    files = [job["file_name"] for job in await client.jobs() if not job["dry_run"]]
    assert files == ["errors.csv", "Kunden März.csv"]


async def _corrected(path: Path) -> bytes:
    """Correct the errors in a file of item errors, as a person does in a spreadsheet."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))  # noqa: ASYNC240 - short
    assert {row["error_code"] for row in rows} == {"invalid_email", "phone_too_short"}
    for number, row in enumerate(rows):
        row |= {"email": f"right{number}@example.com", "phone": f"+491511234570{number}"}
    corrected = io.StringIO()
    writer = csv.DictWriter(corrected, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return corrected.getvalue().encode()
