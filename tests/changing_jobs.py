"""Jobs that change at random, in transactions that commit in another order than they begin."""

import asyncio
import random

from schemas.ids import AccountId, JobId, new_job_id
from storage.context import Context

WRITERS, WRITES = 6, 40

INSERT_JOB = """
    INSERT INTO jobs (account_id, id, operation, stream, state, format, parallel, request_id, total)
    VALUES ($1, $2, 'contacts.upsert', 'contacts', 'running', 'ndjson', 4, 'req_1', 0)
"""
CHANGE_JOB = "UPDATE jobs SET total = total + 1 WHERE account_id = $1 AND id = $2"
RECORD_CHUNK = """
    INSERT INTO chunks
        (account_id, job_id, first_index, items, part, byte_start, byte_end, state, created, changed)
    VALUES ($1, $2, $3, 1, 0, 0, 1, 'done', 1, pg_current_xact_id())
"""
VERSIONS = "SELECT id, total, created FROM job_views WHERE account_id = $1"


async def make_jobs(ctx: Context, account_id: AccountId, count: int) -> list[JobId]:
    """Store running jobs without items, which no worker claims."""
    ids = [new_job_id() for _ in range(count)]
    for job_id in ids:
        await ctx.pool.execute(INSERT_JOB, account_id, job_id)
    return ids


async def change_at_random(ctx: Context, account_id: AccountId, ids: list[JobId], rng: random.Random) -> None:
    """Change jobs in transactions that stay open for a moment; some are rolled back."""
    await asyncio.gather(
        *(_write(ctx, account_id, ids, writer, random.Random(rng.random())) for writer in range(WRITERS))
    )


async def _write(
    ctx: Context, account_id: AccountId, ids: list[JobId], writer: int, rng: random.Random
) -> None:
    for number in range(WRITES):
        async with ctx.pool.acquire() as conn:
            doomed = conn.transaction()
            await doomed.start()
            for job_id in sorted(rng.sample(ids, rng.randint(1, 3))):
                if rng.random() < 0.5:
                    await conn.execute(CHANGE_JOB, account_id, job_id)
                else:
                    await conn.execute(RECORD_CHUNK, account_id, job_id, writer * WRITES + number)
                await asyncio.sleep(rng.random() / 500)
            await (doomed.rollback() if rng.random() < 0.2 else doomed.commit())
