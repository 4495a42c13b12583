"""Measure how long work takes to continue after a part is back."""

from collections.abc import Callable
from time import monotonic

import asyncpg

from tests.faults.harness.cluster import Cluster
from tests.waiting import until

PROGRESS = """
    SELECT (SELECT count(*) FROM chunks WHERE state IN ('done', 'cancelled'))
         + (SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL)
         + (SELECT COALESCE(sum(split_parts), 0) FROM jobs)
"""
RUNNING = "SELECT token FROM chunks WHERE state = 'running'"
LEFT = "SELECT FROM jobs WHERE finished_at IS NULL LIMIT 1"
LIMIT_SECONDS = 60.0  # the promise is 10 seconds; a busy machine takes longer, so the figure is only reported

Record = Callable[[str, object], None]


async def progress(cluster: Cluster) -> int:
    """Return a number that grows whenever a chunk, a part or a job is completed."""
    (row,) = await cluster.sql(PROGRESS)
    return int(row[0])


async def recovered(cluster: Cluster, fault: str, record: Record) -> float:
    """Wait until work has recovered; return the seconds since the call.

    It has recovered when something is completed and no claim of the moment of the call is left: a dead worker
    has been replaced. Call it when the part is back. `record` is `record_property` of pytest.
    """
    started = monotonic()
    before = await progress(cluster)
    claims = await _claims(cluster)

    async def continues() -> bool:
        try:
            completed = await progress(cluster) > before and not claims & await _claims(cluster)
            return completed or not await cluster.sql(LEFT)
        except (asyncpg.PostgresError, OSError):
            return False

    await until(continues, LIMIT_SECONDS)
    seconds = monotonic() - started
    record("recovery", f"{seconds:6.2f} s  {fault}")
    return seconds


async def _claims(cluster: Cluster) -> set[int]:
    return {row["token"] for row in await cluster.sql(RUNNING)}
