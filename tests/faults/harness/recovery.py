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
LEFT = "SELECT FROM jobs WHERE finished_at IS NULL LIMIT 1"
LIMIT_SECONDS = 60.0  # the promise is 10 seconds; a busy machine takes longer, so the figure is only reported

Record = Callable[[str, object], None]


async def progress(cluster: Cluster) -> int:
    """Return a number that grows whenever a chunk, a part or a job is completed."""
    (row,) = await cluster.sql(PROGRESS)
    return int(row[0])


async def recovered(cluster: Cluster, fault: str, record: Record) -> float:
    """Wait until work continues or none is left; return the seconds since the call.

    Call it when the part is back. `record` is `record_property` of pytest.
    """
    started = monotonic()
    before = await progress(cluster)

    async def continues() -> bool:
        try:
            return await progress(cluster) > before or not await cluster.sql(LEFT)
        except (asyncpg.PostgresError, OSError):
            return False

    await until(continues, LIMIT_SECONDS)
    seconds = monotonic() - started
    record("recovery", f"{seconds:6.2f} s  {fault}")
    return seconds
