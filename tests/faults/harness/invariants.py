"""What must hold after every fault, read from the database and compared with what clients were told."""

from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from schemas.ids import read_job_id
from schemas.settings import Settings
from tests.faults.harness.client import PatientClient
from tests.faults.harness.cluster import Cluster
from tests.waiting import until

QUIET_SECONDS = 60.0
MOST_ROWS = 5  # of one broken invariant in a message
QUERIES = {
    name.strip(): sql
    for part in Path(__file__).with_suffix(".sql").read_text().split("-- name:")[1:]
    for name, sql in [part.split("\n", 1)]
}
CLOCK = "the jobs of a stream ran one after the other"  # compares times, so a stepped clock breaks it
WINDOW = "no span of a window holds more items than the limit"  # of the limit that the account has now
GRANTED = "every applied item of an account with a limit was granted"  # not while it has no limit


async def hold(cluster: Cluster, *, excluding: tuple[str, ...] = ()) -> None:
    """Wait until nothing is in progress, then assert all invariants."""
    await quiet(cluster)
    conn = await cluster.connect()
    try:
        broken = await violations(conn, excluding=excluding)
        for client in cluster.clients:
            broken += await untrue(conn, client)
    finally:
        await conn.close()
    assert not broken, "\n".join(broken)


async def quiet(cluster: Cluster, *, seconds: float = QUIET_SECONDS) -> None:
    """Wait until no job is in progress and no bell waits. Raises TimeoutError after `seconds`."""
    conn = await cluster.connect()
    redis = Redis.from_url(cluster.redis_url)
    try:
        await until(lambda: _is_quiet(conn, redis), seconds)
    finally:
        await redis.aclose()
        await conn.close()


async def violations(
    conn: "asyncpg.Connection[asyncpg.Record]", *, excluding: tuple[str, ...] = ()
) -> list[str]:
    """Return a line for each invariant that is broken, with its first rows."""
    lines = []
    for name, sql in QUERIES.items():
        if name not in excluding and (rows := await conn.fetch(sql)):
            lines.append(f"broken: {name} ({len(rows)}): {[dict(row) for row in rows[:MOST_ROWS]]}")
    return lines


async def untrue(conn: "asyncpg.Connection[asyncpg.Record]", client: PatientClient) -> list[str]:
    """Return a line for each job of a client that is missing, unfinished, or not as the client was told."""
    rows = await conn.fetch("SELECT * FROM jobs WHERE account_id = $1", client.account_id)
    stored = {row["id"]: row for row in rows}
    lines = []
    for job_id in client.accepted:
        row = stored.get(read_job_id(job_id))
        if row is None or row["accepted_at"] is None or row["finished_at"] is None:
            lines.append(f"accepted, but lost or not ended: {job_id} {row and dict(row)}")
    for job_id, view in client.told.items():
        row = stored.get(read_job_id(job_id))
        told = {name: number for name, number in view["counts"].items() if name != "pending"}
        if row is None or row["state"] != view["state"] or any(row[name] != told[name] for name in told):
            lines.append(f"told otherwise: {job_id} {view['state']} {told}, stored: {row and dict(row)}")
    return lines


async def _is_quiet(conn: "asyncpg.Connection[asyncpg.Record]", redis: Redis) -> bool:
    unfinished = await conn.fetchval("SELECT EXISTS (SELECT FROM jobs WHERE finished_at IS NULL)")
    return not unfinished and not await _waiting_bells(redis)


async def _waiting_bells(redis: Redis) -> int:
    """Count the bells that no worker serves. A dead worker's bell counts as served until arq drops it."""
    ids = await redis.zrange(Settings.model_fields["queue_name"].default, 0, -1)
    served = [await redis.exists(b"arq:in-progress:" + bell) for bell in ids]
    return served.count(0)
