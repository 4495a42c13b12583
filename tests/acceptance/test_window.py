"""Many workers neither exceed the limit of an account nor leave it unused."""

import json
from datetime import timedelta
from pathlib import Path

import asyncpg

from tests.acceptance.service import serving
from tests.factories import contact

LIMIT = 500
WINDOW = timedelta(seconds=2)
ITEMS = 3_000  # six windows, so five waits


def _most_in_any_span(grants: list[asyncpg.Record], window: timedelta) -> int:
    """Return the most items that any closed span of `window` holds. A fullest span starts at a grant."""
    return max(
        sum(int(other["items"]) for other in grants if grant["at"] <= other["at"] <= grant["at"] + window)
        for grant in grants
    )


async def test_four_workers_never_exceed_the_window_and_use_nearly_all_of_it(tmp_path: Path) -> None:
    with serving(tmp_path / "state", "--workers", "4") as service:
        seconds = str(WINDOW.seconds)
        service.cli("accounts", "set", "demo", "--item-limit", str(LIMIT), "--window-seconds", seconds)
        body = "\n".join(json.dumps(contact(number)) for number in range(ITEMS)).encode()
        job = await service.submit(body, "application/x-ndjson")
        ended = await service.ended(job["id"])
        grants = await service.fetch("SELECT at, items FROM grants ORDER BY at")
    assert ended["counts"]["created"] == ITEMS
    assert sum(grant["items"] for grant in grants) == ITEMS
    assert _most_in_any_span(grants, WINDOW) <= LIMIT
    elapsed = grants[-1]["at"] - grants[0]["at"]
    # the earliest possible grant of the last items is after five windows
    assert elapsed <= WINDOW * (ITEMS / LIMIT - 1) / 0.95
