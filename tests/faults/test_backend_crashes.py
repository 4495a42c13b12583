"""One backend of PostgreSQL is killed: the server restarts all of them, and loses what is not on disk yet."""

import pytest

from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once, effect_items

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_no_chunk_is_blamed_for_the_crashes_of_postgres(running: Cluster) -> None:
    client = await running.client()
    job = await client.submit(effect_items(range(30_000), "once"), query="?parallel=8")
    for applied in (1_000, 4_000, 8_000, 12_000, 16_000):
        await running.has_applied(job, applied)
        await running.kill_backend()
        await running.database_accepts()
    assert counts(await client.ended(job)) == {"created": 30_000}
    await invariants.hold(running)
    await assert_once(running, client, {"once": 30_000})
    assert await running.most_deaths(client) == 0
