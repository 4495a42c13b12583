"""The faults that leave the processes running: Redis, limits, scale, clocks, settings of PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
from redis.asyncio import Redis

from schemas.settings import Settings
from storage.queue import Queue, connect
from tests.faults.harness.client import NO_ANSWER
from tests.faults.harness.clocks import PIPELINE, step_clock
from tests.faults.harness.cluster import Cluster

QUEUE = Settings.model_fields["queue_name"].default
LINE = b'{"phone": "+14152000000", "name": "of an upload that is cut"}\n'
MOST_CONNECTIONS = 200


async def flush(cluster: Cluster, rng: random.Random) -> str:
    """Delete everything in Valkey."""
    async with Redis.from_url(cluster.redis_url) as redis:
        await redis.flushall()
    return ""


async def lose_bells(cluster: Cluster, rng: random.Random) -> str:
    """Delete the queue of bells."""
    async with Redis.from_url(cluster.redis_url) as redis:
        await redis.delete(QUEUE)
    return ""


async def ring_bells(cluster: Cluster, rng: random.Random) -> str:
    """Ring a hundred bells for which there may be no work."""
    arq = connect(cluster.redis_url, queue_name=QUEUE)
    await Queue(arq).ring_work(100)
    await arq.aclose()
    return ""


async def cut_upload(cluster: Cluster, rng: random.Random) -> str:
    """Send a part of a large body, then cut the connection."""
    client, pieces = rng.choice(cluster.clients), rng.randrange(8)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield LINE * 10_000
        raise ConnectionError("the client cuts the upload")

    headers = {"Content-Type": "application/x-ndjson"}
    with suppress(*NO_ANSWER):
        await client.once("POST", "/v1/bulk/contacts.upsert", data=body(), headers=headers)
    return f"after {pieces} pieces"


async def out_of_memory(cluster: Cluster, rng: random.Random) -> str:
    """Let Valkey refuse writes for lack of memory."""
    async with Redis.from_url(cluster.redis_url) as redis:
        await redis.config_set("maxmemory", 1)
        await asyncio.sleep(rng.uniform(0.5, 3))
        await redis.config_set("maxmemory", 0)
    return ""


async def read_only_redis(cluster: Cluster, rng: random.Random) -> str:
    """Let Valkey refuse writes as a replica does."""
    async with Redis.from_url(cluster.redis_url) as redis:
        await redis.replicaof("127.0.0.1", 1)
        await asyncio.sleep(rng.uniform(0.5, 3))
        await redis.replicaof("NO", "ONE")
    return ""


async def scale(cluster: Cluster, rng: random.Random) -> str:
    """Change the number of workers to 1, 2 or 3."""
    workers = rng.choice([1, 2, 3])
    await cluster.scale(workers)
    return f"{workers} workers"


async def change_limit(cluster: Cluster, rng: random.Random) -> str:
    """Halve the item limit of an account for a second."""
    half = """UPDATE accounts SET item_limit = item_limit / 2
              WHERE id = (SELECT id FROM accounts WHERE item_limit > 1 ORDER BY random() LIMIT 1)
              RETURNING id, item_limit"""
    if not (rows := await cluster.sql(half)):
        return "no account has a limit"
    await asyncio.sleep(1)
    await cluster.sql("UPDATE accounts SET item_limit = $2 * 2 WHERE id = $1", *rows[0])
    return f"account {rows[0]['id']}"


async def step_clock_of_postgres(cluster: Cluster, rng: random.Random) -> str:
    """Step PostgreSQL's clock by an hour, forward or back."""
    hours = rng.choice([1, -1])
    await step_clock(cluster, hours, tables=PIPELINE)
    return f"{hours:+} h"


async def read_only_postgres(cluster: Cluster, rng: random.Random) -> str:
    """Let PostgreSQL refuse writes, as after a failover."""
    await cluster.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    await cluster.sql("SELECT pg_reload_conf()")
    await asyncio.sleep(rng.uniform(0.5, 3))
    await undo_read_only(cluster)
    return ""


async def undo_read_only(cluster: Cluster) -> None:
    """Let PostgreSQL take writes again."""
    await cluster.sql("ALTER SYSTEM RESET default_transaction_read_only")
    await cluster.sql("SELECT pg_reload_conf()")


async def too_many_connections(cluster: Cluster, rng: random.Random) -> str:
    """Take all connections that PostgreSQL has left, and end those of the service."""
    conns: list[asyncpg.Connection[asyncpg.Record]] = []
    killer = await cluster.connect()
    try:
        with suppress(asyncpg.PostgresError, OSError):
            while len(conns) < MOST_CONNECTIONS:
                conns.append(await cluster.connect())
        await killer.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name ILIKE '%worker%' OR application_name ILIKE '%api%'"""
        )
        await asyncio.sleep(rng.uniform(0.5, 2))
    finally:
        for conn in (*conns, killer):
            conn.terminate()
    return f"{len(conns)} connections"
