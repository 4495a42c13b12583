"""A dry run whose workers are killed, and the real run after it."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.bad_rows import expected_errors, make_rows
from tests.acceptance.service import Service, csv_of, serving

SIZE = 40_000


async def _submit_dry(service: Service, body: bytes) -> str:
    headers = {"x-api-key": service.dev["api_key"], "Content-Type": "text/csv"}
    url = f"{service.dev['url']}/v1/bulk/contacts.upsert?dry_run=true"
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as response:
        assert response.status == 202
        job: dict[str, Any] = await response.json()
        return str(job["id"])


async def test_a_dry_run_survives_its_workers_and_reports_the_same_as_the_real_run(tmp_path: Path) -> None:
    bad = len(expected_errors(SIZE))
    body = csv_of(make_rows(SIZE))
    with serving(tmp_path / "state") as service:
        service.cli("accounts", "set", "demo", "--item-limit", "0", "--request-limit", "0")
        job_id = await _submit_dry(service, body)
        while (await service.get(f"/v1/jobs/{job_id}"))["counts"]["created"] < 2_000:
            pass
        service.kill("worker", 0)
        service.kill("worker", 1)
        dry = await service.ended(job_id)
        assert dry["counts"]["created"] == SIZE - bad
        (row,) = await service.fetch("SELECT count(*) AS n FROM contacts")
        assert row["n"] == 0
        real = await service.ended((await service.submit(body, "text/csv"))["id"])
        assert [dry[name] for name in ("state", "total", "counts", "errors")] == [
            real[name] for name in ("state", "total", "counts", "errors")
        ]
