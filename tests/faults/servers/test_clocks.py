"""Step the clock of PostgreSQL, and change an account's limits while it works."""

import pytest

from tests.faults.harness import invariants
from tests.faults.harness.client import counts
from tests.faults.harness.clocks import step_clock
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once, effect_items
from tests.faults.harness.recovery import Record, recovered

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_step_of_the_clock_stops_no_work(
    running: Cluster, hours: int, record_property: Record
) -> None:
    client, limited = await running.client(), await running.client(item_limit=1_000, window_seconds=3)
    job = await client.submit(effect_items(range(30_000), "free"))
    throttled = await limited.submit(effect_items(range(3_000), "limited"))
    await running.has_applied(job, 1)
    await running.has_applied(throttled, 1_000)
    await step_clock(running, hours)
    await recovered(running, f"PostgreSQL's clock steps by {hours} h", record_property)
    await client.ended(job)
    assert counts(await limited.ended(throttled)) == {"created": 3_000}
    await invariants.hold(running, excluding=(invariants.CLOCK,))
    await assert_once(running, client, {"free": 30_000})
    await assert_once(running, limited, {"limited": 3_000})


async def test_a_worker_that_dies_is_replaced_although_the_clock_stepped(running: Cluster) -> None:
    client = await running.client()
    running.steps.arm("apply.before_commit", "stop")
    job = await client.submit(effect_items(range(3_000), "once"))
    pid = await running.steps.stopped_at("apply.before_commit")
    await step_clock(running, -1)
    await running.part_of(pid).kill()
    await client.ended(job)
    await invariants.hold(running, excluding=(invariants.CLOCK,))
    await assert_once(running, client, {"once": 3_000})


async def test_limits_change_while_the_account_works(running: Cluster) -> None:
    client = await running.client(item_limit=1_000, window_seconds=2)
    job = await client.submit(effect_items(range(6_000), "once"))
    most = 0
    for applied, limit, seconds in ((1_000, 300, 2), (1_300, 2_000, 2), (3_000, 1_500, 3), (5_000, 0, 2)):
        await running.has_applied(job, applied)
        most = max(most, limit)
        await running.sql(
            "UPDATE accounts SET item_limit = $2, window_seconds = $3 WHERE id = $1",
            client.account_id, limit, seconds,
        )  # fmt: skip
    assert counts(await client.ended(job)) == {"created": 6_000}
    await running.sql(
        "UPDATE accounts SET item_limit = $2, window_seconds = 2 WHERE id = $1", client.account_id, most
    )
    await invariants.hold(running, excluding=(invariants.GRANTED,))  # the last items needed no grant
    await assert_once(running, client, {"once": 6_000})
