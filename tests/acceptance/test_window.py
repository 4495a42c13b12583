"""Many workers neither exceed the limit of an account nor leave it unused."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from tests.acceptance.service import serving
from tests.factories import contact

LIMIT = 500
WINDOW = timedelta(seconds=2)
ITEMS = 3_000  # six windows, so five waits
PARTS = 3  # of 1,000 items


def _used(grants: list[asyncpg.Record], until: datetime) -> int:
    """Return the items in the closed span of one window that ends at `until`."""
    return sum(int(grant["items"]) for grant in grants if until - WINDOW <= grant["at"] <= until)


async def test_four_workers_never_exceed_the_window_and_leave_no_part_of_it(tmp_path: Path) -> None:
    with serving(tmp_path / "state", "--workers", "4") as service:
        seconds = str(WINDOW.seconds)
        service.cli("accounts", "set", "demo", "--item-limit", str(LIMIT), "--window-seconds", seconds)
        body = "\n".join(json.dumps(contact(number)) for number in range(ITEMS)).encode()
        job = await service.submit(body, "application/x-ndjson")
        ended = await service.ended(job["id"])
        grants = await service.fetch("SELECT at, items FROM grants ORDER BY at")
    assert ended["counts"]["created"] == ITEMS
    assert sum(grant["items"] for grant in grants) == ITEMS
    used = [_used(grants, grant["at"]) for grant in grants]  # a fullest span ends at a grant
    assert max(used) <= LIMIT
    # A grant takes all that the window has left, unless it takes the rest of a part.
    assert sum(amount < LIMIT for amount in used) <= PARTS
