"""A worker's context: its pool, queue and window, and its background tasks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from uuid import uuid4

from arq.connections import ArqRedis

from schemas.ids import WorkerId
from schemas.settings import Settings
from storage import migrations
from storage.announcements import Announcer
from storage.background import beside
from storage.context import Context
from storage.entities import upsert
from storage.postgres.pool import open_pool
from storage.queue import Queue
from storage.slots import Slots
from storage.telemetry.tracing import tracing
from storage.windows.window import Window
from worker.deletion.delete_accounts import delete_accounts_forever
from worker.deletion.erase_contacts import erase_forever
from worker.dry_run import dry_run_forever
from worker.prune import prune_forever
from worker.reconcile import reconcile_forever
from worker.signs.metrics_server import showing
from worker.turn import keep_claims
from worker.webhooks.deliver import delivering

JOB_SLOTS = 4  # steps of single jobs (split, finish) that one worker does at once, beside its turns
SLOW_STEPS = 4  # how many of each kind leave their slots: see `Slots`

# If a crash of PostgreSQL loses the commit of a chunk, its effect, results and state are lost together, and
# the chunk is applied again. The commit that finishes a job waits for the disk (worker.finish).
#
# A chunk that waits for a lock too long is given back, and `worker.turn` postpones its job.
SETTINGS = {"synchronous_commit": "off", "lock_timeout": "3s"}


@asynccontextmanager
async def open_context(
    settings: Settings, redis: ArqRedis, dry_run_bell: asyncio.Event
) -> AsyncIterator[Context]:
    """Connect, wait for the schema, and run what goes on beside: repair, pruning, dry runs, webhooks."""
    assert settings.database_url is not None
    pool = await open_pool(
        settings.database_url,
        size=settings.worker_pool_size,
        name="bulklane-worker",
        settings=SETTINGS,
        init=upsert.make_stage,
    )
    try:
        await migrations.wait_until_current(pool)
        queue = Queue(redis)
        ctx = Context(
            pool=pool,
            queue=queue,
            announcer=Announcer(redis, queue.breaker),
            window=Window(redis, queue.breaker),
            settings=settings,
            worker_id=WorkerId(uuid4()),
            turn_slots=Slots(settings.worker_turns, places=SLOW_STEPS),
            job_slots=Slots(JOB_SLOTS, places=SLOW_STEPS),
        )
        async with (
            tracing(settings, "worker", ctx.worker_id),
            keep_claims(ctx),
            delivering(ctx),
            aclosing(ctx.turn_slots),
            aclosing(ctx.job_slots),
            _rounds(ctx, dry_run_bell),
            showing(ctx),
        ):
            yield ctx
    finally:
        await asyncio.wait_for(pool.close(), 10)


def _rounds(ctx: Context, dry_run_bell: asyncio.Event) -> AbstractAsyncContextManager[None]:
    return beside(
        ctx.announcer.announce_changes(),
        reconcile_forever(ctx),
        prune_forever(ctx),
        delete_accounts_forever(ctx),
        erase_forever(ctx),
        dry_run_forever(ctx, dry_run_bell),
    )
