"""What PostgreSQL's statements cost, from its extension pg_stat_statements."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.lab.service import Service

READ = """
SELECT query, calls, total_exec_time AS milliseconds, shared_blks_hit + shared_blks_read AS buffers
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY total_exec_time DESC
"""
CLAIM = re.compile(r"choose_chunks|lease_chunks|claim_\w+ ?\(")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """The runs of one statement: their number, and their time and buffers in all."""

    query: str
    calls: int
    milliseconds: float
    buffers: int


async def start(service: Service) -> None:
    """Count from zero. The service must run with `postgres=STATEMENTS`."""
    await service.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    await service.sql("SELECT pg_stat_statements_reset()")


async def read(service: Service) -> list[Statement]:
    """Return the statements since `start`, the costliest first, without those of the benchmark itself."""
    found = [Statement(**dict(record)) for record in await service.sql(READ)]
    return [one for one in found if "pg_stat_statements" not in one.query and "CHECKPOINT" not in one.query]


def shares(statements: list[Statement], stages: Mapping[str, "re.Pattern[str]"]) -> dict[str, float]:
    """Return the share of each stage in the time. A statement belongs to its first match."""
    times = dict.fromkeys(stages, 0.0)
    for statement in statements:
        for stage, pattern in stages.items():
            if pattern.search(statement.query):
                times[stage] += statement.milliseconds
                break
    whole = sum(times.values())
    return {stage: milliseconds / whole for stage, milliseconds in times.items()}
