"""Streams that are cut at random, while transactions commit in another order than they begin."""

import asyncio
import random
from contextlib import suppress

import pytest

from api.feeds import event_feed
from schemas.ids import show_job_id
from storage.context import Context
from tests.changing_jobs import VERSIONS, change_at_random, make_jobs
from tests.integration.api.following import following
from tests.integration.api.service import Client


@pytest.mark.parametrize("seed", range(2))
async def test_a_stream_has_each_state_once(
    ctx: Context, client: Client, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Followers of the account and of single jobs, while transactions commit in any order."""
    monkeypatch.setattr(event_feed, "EVERY_SECONDS", 0.01)
    rng = random.Random(seed)
    ids = await make_jobs(ctx, client.account.id, 6)
    done = asyncio.Event()
    paths = ["/v1/events", *(f"/v1/jobs/{show_job_id(job_id)}/events" for job_id in ids[:3])]
    reading = [
        asyncio.create_task(_read(client, path, done, random.Random(f"{seed}{path}"))) for path in paths
    ]
    await change_at_random(ctx, client.account.id, ids, rng)
    final = {
        (show_job_id(row["id"]), *list(row)[1:]) for row in await ctx.pool.fetch(VERSIONS, client.account.id)
    }
    done.set()
    for path, task in zip(paths, reading, strict=True):
        seen = await task
        assert len(set(seen)) == len(seen), "a state was sent twice"
        latest = {version[0]: version for version in seen}
        wanted = {version for version in final if path == "/v1/events" or version[0] in path}
        assert set(latest.values()) == wanted


async def _read(
    client: Client, path: str, done: asyncio.Event, rng: random.Random
) -> list[tuple[str, int, int]]:
    """Read events on connections that are cut after a few, until nothing has changed for a while."""
    seen: list[tuple[str, int, int]] = []
    last_id: str | None = None
    while True:
        last = done.is_set()
        async with following(client, path, last_id) as stream:
            with suppress(TimeoutError):
                for _ in range(10_000 if last else rng.randint(1, 8)):
                    event = await stream.next(seconds=2 if last else 0.3)
                    assert event
                    seen.append((event.data["id"], event.data["total"], event.data["counts"]["created"]))
            last_id = stream.last_id
        if last:
            return seen
