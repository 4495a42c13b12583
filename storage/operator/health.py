"""The health of PostgreSQL and of Redis, as both tell it."""

import time
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from storage.postgres.named_queries import Db, load, row_of, rows_of
from storage.queue import Queue

QUERIES = load(__name__)

MOST_TABLES = 10
MOST_LOCKS = 50
QUERY_CHARACTERS = 300  # of a statement that waits for a lock


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresState:
    """What PostgreSQL says about itself. The sessions are those of our database, without the asking one."""

    version: str
    up_seconds: float
    standby: bool
    bytes: int  # of the database
    max_connections: int
    connections: int
    active: int
    idle_in_transaction: int
    waiting_for_locks: int
    oldest_transaction_seconds: float
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str  # of the api's sessions
    replicas: int
    synchronous_replicas: str  # synchronous_standby_names
    transaction_age: int  # of the oldest row; PostgreSQL stops at two thousand million


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """A table with its dead rows, as the statistics estimate them."""

    name: str
    live_rows: int
    dead_rows: int
    bytes: int  # with its indexes
    vacuumed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWait:
    """A session that waits for a lock. `blocked_by` are the pids of the sessions that hold it."""

    pid: int
    name: str
    query: str
    blocked_by: list[int]
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisState:
    """What Redis or Valkey says about itself. `max_memory` 0: no limit."""

    software: str
    version: str
    up_seconds: int
    ping_milliseconds: float
    memory: int
    max_memory: int
    policy: str  # maxmemory-policy; anything but noeviction may remove bells and windows
    clients: int
    evicted_keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedBells:
    """The bells of the queue: all, those whose time has come, and those that are marked as waiting."""

    queued: int
    due: int
    waiting: int


async def postgres_state(db: Db) -> PostgresState:
    """Return the state of the server and of our database."""
    return row_of(PostgresState, await QUERIES.postgres(db))


async def tables(db: Db) -> list[TableState]:
    """Return the tables with the most dead rows."""
    return rows_of(TableState, await QUERIES.tables(db, most=MOST_TABLES))


async def locks(db: Db) -> list[LockWait]:
    """Return the sessions that wait for a lock, those first that wait longest."""
    rows = [dict(row) for row in await QUERIES.locks(db, most=MOST_LOCKS)]
    return [LockWait(**row | {"query": row["query"][:QUERY_CHARACTERS]}) for row in rows]


async def redis_state(queue: Queue) -> RedisState | None:
    """Return the state of Redis, or None if it does not respond or refuses writes."""
    started = time.perf_counter()
    if await queue.breaker.ask(lambda: _done(queue)) is None:
        return None
    ping = (time.perf_counter() - started) * 1000
    info: dict[str, Any] | None = await queue.breaker.ask(queue.redis.info)
    if info is None:
        return None
    valkey = "valkey_version" in info
    return RedisState(
        software="Valkey" if valkey else "Redis",
        version=str(info["valkey_version" if valkey else "redis_version"]),
        up_seconds=info["uptime_in_seconds"],
        ping_milliseconds=round(ping, 2),
        memory=info["used_memory"],
        max_memory=info.get("maxmemory", 0),
        policy=info.get("maxmemory_policy", ""),
        clients=info["connected_clients"],
        evicted_keys=info.get("evicted_keys", 0),
    )


async def bells(queue: Queue) -> QueuedBells | None:
    """Return the bells of the queue, or None if Redis does not respond."""
    counts = await queue.breaker.ask(queue.counts)
    return None if counts is None else QueuedBells(**dict(zip(_names(), counts, strict=True)))


def _names() -> list[str]:
    return [field.name for field in fields(QueuedBells)]


async def _done(queue: Queue) -> bool:
    await queue.check()
    return True
