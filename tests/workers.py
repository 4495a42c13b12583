"""Workers under test: open contexts, run workers, read jobs, expire leases, hold locks."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

from schemas.ids import AccountId, JobId, WorkerId
from schemas.settings import Settings
from storage.announcements import Announcer
from storage.background import beside
from storage.context import Context
from storage.entities import upsert
from storage.pipeline import chunks, jobs, results
from storage.pipeline.chunks import Candidate, Claim
from storage.pipeline.jobs import JobRow
from storage.pipeline.results import ResultRow
from storage.postgres.pool import Conn, open_pool
from storage.queue import Queue, connect
from storage.slots import Slots
from storage.windows.window import Window
from worker.bells.process import Bells
from worker.claim import claim_chunks
from worker.context import JOB_SLOTS, SETTINGS
from worker.dry_run import dry_run_forever
from worker.turn import take_turn

TURNS = 8  # that a worker takes at once, at most
PATIENCE = 60.0  # seconds: a turn of a test is over when `take_turn` returns, also on a slow machine
POLL = 0.01  # seconds between the first two checks
LONGEST_POLL = 0.1  # idle turns look less and less often: each look costs the ones that work a millisecond
COUNTS = ("created", "updated", "unchanged", "merged", "skipped", "failed", "cancelled")


@asynccontextmanager
async def open_worker(
    settings: Settings, *, size: int = 4, database_url: str | None = None
) -> AsyncIterator[Context]:
    """Open the context of a new worker, without its background tasks."""
    url = database_url or settings.database_url
    assert url is not None
    assert settings.redis_url is not None
    pool = await open_pool(url, size=size, name="test", settings=SETTINGS, init=upsert.make_stage)
    arq = connect(settings.redis_url, queue_name=settings.queue_name)
    queue = Queue(arq)
    yield Context(
        pool=pool,
        queue=queue,
        announcer=Announcer(arq, queue.breaker),
        window=Window(arq, queue.breaker),
        settings=settings,
        worker_id=WorkerId(uuid4()),
        turn_slots=Slots(TURNS, places=TURNS, patience=PATIENCE),
        job_slots=Slots(JOB_SLOTS, places=TURNS, patience=PATIENCE),
    )
    await pool.close()
    await arq.aclose()


async def drain(*workers: Context, turns: int = 2, seconds: float = 30) -> None:
    """Let each worker take turns, `turns` at once, until all accepted jobs have ended.

    Raises TimeoutError after `seconds`.
    """
    ended = asyncio.Event()

    async def work(ctx: Context) -> None:
        pause = POLL
        while not ended.is_set():
            claimed = await take_turn(ctx)
            if not await unfinished(ctx):
                ended.set()
            pause = POLL if claimed else min(2 * pause, LONGEST_POLL)
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), pause)

    async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
        for ctx in workers:
            for _ in range(turns):
                group.create_task(work(ctx))


@asynccontextmanager
async def serving(*workers: Context) -> AsyncIterator[None]:
    """Serve the bells and dry runs of each context, also after a loss of Redis, as a worker process does."""
    async with AsyncExitStack() as stack:
        for ctx in workers:
            bell = asyncio.Event()
            bells = Bells(ctx, bell)
            await stack.enter_async_context(beside(dry_run_forever(ctx, bell), bells.serve_forever()))
            stack.push_async_callback(bells.end)
        yield


async def claim_chunk(ctx: Context) -> Claim | None:
    """Claim the next chunk. Return None if there is none."""
    claims = await claim_chunks(ctx, most=1)
    return claims[0] if claims else None


async def claim(ctx: Context) -> Claim:
    """Claim the next chunk; assert that there is one."""
    claimed = await claim_chunk(ctx)
    assert claimed is not None
    return claimed


async def lock_next(conn: Conn) -> Candidate | None:
    """Begin to claim in the transaction of a connection: lock a turn and return its next chunk."""
    return next(iter(await chunks.choose(conn, most=1)), None)


async def lease(ctx: Context, conn: Conn, chunk: Candidate, *, items: int, token: int) -> Claim | None:
    """End the claim: lease the first items of the chunk. Return None if it is not ready any more."""
    cut = replace(chunk, items=items)
    return next(iter(await chunks.lease(conn, [cut], worker_id=ctx.worker_id, tokens=[token])), None)


async def claim_in(ctx: Context, conn: Conn) -> Claim:
    """Claim one item of the next chunk in the transaction of a connection; assert that there is one."""
    chunk = await lock_next(conn)
    assert chunk is not None
    claimed = await lease(ctx, conn, chunk, items=1, token=1)
    assert claimed is not None
    return claimed


async def unfinished(ctx: Context) -> int:
    """Return how many accepted jobs have not ended."""
    count: int = await ctx.pool.fetchval("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")
    return count


async def job_of(ctx: Context, account_id: AccountId, job_id: JobId) -> JobRow:
    """Return a job as the api reads it."""
    job = await jobs.view(ctx.pool, account_id, job_id)
    assert job is not None
    return job


def counts_of(job: JobRow) -> dict[str, int]:
    """Return the counts of an ended job that are not 0."""
    return {name: getattr(job, name) for name in COUNTS if getattr(job, name)}


async def results_of(ctx: Context, account_id: AccountId, job_id: JobId) -> list[ResultRow]:
    """Return the results of a job, by index."""
    return [result async for result in results.results(ctx.pool, account_id, job_id)]


async def versions(ctx: Context, account_id: AccountId) -> dict[int, tuple[Any, ...]]:
    """Return the contacts by id with their physical row version, which changes when a row is rewritten."""
    rows = await ctx.pool.fetch(
        "SELECT id, ctid::text, xmin::text, to_jsonb(c)::text FROM contacts c WHERE account_id = $1",
        account_id,
    )
    return {row["id"]: tuple(row) for row in rows}


async def bells(ctx: Context) -> Counter[str]:
    """Count the queued bells by task."""
    redis = ctx.queue.redis
    keys = await redis.zrange(redis.default_queue_name, 0, -1)
    bodies = [await redis.get(b"arq:job:" + key) for key in keys]
    return Counter(json.loads(body)["f"] for body in bodies if body)


async def expire_leases(ctx: Context) -> None:
    """Expire the leases of all chunks."""
    await ctx.pool.execute("UPDATE chunks SET lease_until = now() - interval '1 s' WHERE state = 'running'")


@asynccontextmanager
async def barred(ctx: Context, lock: str) -> AsyncIterator[None]:
    """Hold the lock that the statement `lock` takes, so that others wait for it."""
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute(lock)
        yield


async def waiting_backends(ctx: Context) -> list[int]:
    """Return the pids of the backends of this database that wait for a lock."""
    rows = await ctx.pool.fetch(
        """SELECT pid FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    )
    return [row["pid"] for row in rows]
