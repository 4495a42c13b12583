"""Send a file with bad rows through the whole service."""

import csv
import gzip
import io
from collections import Counter
from typing import Any

from rich.console import Console

from embedded.supervisor import sample
from embedded.supervisor.dev_file import DevFile
from tests.acceptance.bad_rows import expected_errors, expected_phone, make_rows
from tests.acceptance.service import Service, csv_of

SIZE = 20_000


async def _run(service: Service, body: bytes, **headers: str) -> dict[str, Any]:
    job = await service.submit(body, "text/csv", **headers)
    return await service.ended(job["id"])


def _counted(job: dict[str, Any]) -> dict[str, int]:
    assert sum(job["counts"].values()) == job["total"] == SIZE
    return {name: count for name, count in job["counts"].items() if count}


async def test_a_file_with_bad_rows_is_applied_and_each_bad_row_is_reported(service: Service) -> None:
    errors = expected_errors(SIZE)
    job = await _run(service, csv_of(make_rows(SIZE)))
    assert job["state"] == "completed_with_errors"
    assert _counted(job) == {"created": SIZE - len(errors), "failed": len(errors)}

    text = await service.get_text(f"/v1/jobs/{job['id']}/errors", Accept="application/x-ndjson")
    assert len(text.splitlines()) == len(errors)
    codes: dict[int, str] = {}
    cursor = ""
    while True:
        page = await service.get(f"/v1/jobs/{job['id']}/errors?limit=1000{cursor}")
        codes |= {error["index"]: error["code"] for error in page["data"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert codes == errors

    stored = {row["phone"] for row in await service.fetch("SELECT phone FROM contacts")}
    assert stored == {expected_phone(index) for index in range(SIZE) if index not in errors}


async def test_repeating_a_file_changes_nothing(service: Service) -> None:
    bad = len(expected_errors(SIZE))
    before = await service.fetch("SELECT id, phone, xmin::text, updated_at FROM contacts ORDER BY id")
    job = await _run(service, gzip.compress(csv_of(make_rows(SIZE))), **{"Content-Encoding": "gzip"})
    assert _counted(job) == {"unchanged": SIZE - bad, "failed": bad}
    after = await service.fetch("SELECT id, phone, xmin::text, updated_at FROM contacts ORDER BY id")
    assert before == after


async def test_a_changed_column_updates_every_row(service: Service) -> None:
    bad = len(expected_errors(SIZE))
    job = await _run(service, csv_of(make_rows(SIZE, city="Parma")))
    assert _counted(job) == {"updated": SIZE - bad, "failed": bad}
    cities = await service.fetch("SELECT DISTINCT metadata->>'city' AS city FROM contacts")
    assert [row["city"] for row in cities] == ["Parma"]


async def test_results_have_every_item_exactly_once(service: Service) -> None:
    job = await _run(service, csv_of(make_rows(SIZE)))
    text = await service.get_text(f"/v1/jobs/{job['id']}/results", Accept="text/csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["index"]) for row in rows] == list(range(SIZE))
    outcomes = Counter(row["outcome"] for row in rows)
    assert outcomes == {name: count for name, count in job["counts"].items() if count}
    assert all(row["contact_id"] for row in rows if row["outcome"] != "failed")


async def test_corrected_errors_are_accepted(service: Service) -> None:
    job = await _run(service, csv_of(make_rows(SIZE)))
    text = await service.get_text(f"/v1/jobs/{job['id']}/errors", Accept="text/csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    good = {
        "phone": "+14155552671",
        "name": "Ana",
        "email": "ana@example.com",
        "language": "it",
        "timezone": "Europe/Rome",
    }
    corrected = await service.submit(csv_of([row | good for row in rows]), "text/csv")
    ended = await service.ended(corrected["id"])
    assert ended["state"] == "completed"
    assert ended["total"] == len(rows)


async def test_the_sample_shows_each_message_whole_on_a_narrow_terminal(service: Service) -> None:
    console = Console(record=True, width=80, file=io.StringIO())
    await sample.run(console, DevFile(**service.dev))
    text = console.export_text()
    assert "completed_with_errors" in text
    assert service.dev["api_key"] in text
    jobs = await service.get("/v1/jobs?limit=1")
    errors = (await service.get(f"/v1/jobs/{jobs['data'][0]['id']}"))["errors"]
    words = [word for error in errors for word in error["message"].split()]
    assert errors
    assert [word for word in words if len(word) < 10 and word not in text] == []
