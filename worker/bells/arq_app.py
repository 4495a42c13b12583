"""The arq worker: its settings, and one task for each of the five bells.

A bell carries only ids. It may arrive without work to do, twice, or late.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import lru_cache, partial
from typing import Any, cast
from uuid import UUID

from arq.typing import WorkerCoroutine
from arq.worker import func

from schemas.ids import AccountId, JobId
from schemas.settings import Settings, get_settings
from storage import queue
from storage.context import Context
from storage.garbage import freeze_loaded
from storage.postgres.db_errors import is_ours
from worker.attempt import in_job_slot
from worker.bells.arq_worker import BellWorker
from worker.context import JOB_SLOTS, open_context
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn

LONG_SECONDS = 3600  # time limit to split or finish a job of many millions of items
STOP_SECONDS = 15  # for the turns in progress when a worker stops; more than a turn plus one chunk


@lru_cache(maxsize=1)
def worker_settings() -> type:
    """Return the class that `arq worker.WorkerSettings` reads. Raises SettingsMissing without a URL."""
    settings = get_settings()
    _, redis_url = settings.required_urls()
    options = _options(settings) | {
        "on_startup": startup,
        "on_shutdown": shutdown,
        "redis_settings": queue.arq_settings(redis_url),  # `arq --check` reads only these
        "poll_delay": 0.02,  # seconds; arq's own worker is not woken by a ring
    }
    return type("WorkerSettings", (), options)


def make_worker(ctx: Context, dry_run_bell: asyncio.Event) -> BellWorker:
    """Return an arq worker that serves bells with a context that is already open. It handles no signals."""
    return BellWorker(
        turns=ctx.settings.worker_turns,
        **_options(ctx.settings),
        handle_signals=False,
        ctx={"context": ctx, "dry_run_bell": dry_run_bell},
    )


def _options(settings: Settings) -> dict[str, Any]:
    """Return the options of an arq worker, with a new Redis client."""
    _, redis_url = settings.required_urls()
    long = [func(cast(WorkerCoroutine, task), timeout=LONG_SECONDS) for task in (split, finish)]
    return {
        "functions": [work, dry_run, webhooks, *long],
        "queue_name": settings.queue_name,
        "redis_pool": queue.connect(redis_url, queue_name=settings.queue_name),  # time-outs, keepalive
        "job_serializer": queue.serialize,
        "job_deserializer": queue.deserialize,
        "max_jobs": settings.worker_turns + JOB_SLOTS,
        "queue_read_limit": 1_000,  # the head of the queue contains the running arq jobs of all workers
        "keep_result": 0,  # a bell has no result
        "max_tries": 1,  # the reconciler rings again
        "retry_jobs": False,
        "job_timeout": 120,  # seconds; a turn takes 2 s plus one chunk
        "job_completion_wait": STOP_SECONDS,
        "health_check_interval": 5,
        "log_results": False,
    }


async def work(arq: dict[str, Any]) -> None:
    """Take a turn, because there may be chunks to claim."""
    await _serve(arq, take_turn, partial(_hear, arq))


async def split(arq: dict[str, Any], account_id: int, job_id: str) -> None:
    """Split a job, because it may have parts to split."""
    await _hear(arq)
    await _serve(arq, in_job_slot, split_job, AccountId(account_id), JobId(UUID(job_id)))


async def finish(arq: dict[str, Any], account_id: int, job_id: str) -> None:
    """Finish a job, if all its chunks are applied or cancelled."""
    await _hear(arq)
    await _serve(arq, in_job_slot, finish_if_last, AccountId(account_id), JobId(UUID(job_id)))


async def dry_run(arq: dict[str, Any]) -> None:
    """Wake the dry-run loop of this worker, because a dry run can exceed the time limit of an arq job."""
    await _hear(arq)
    bell: asyncio.Event = arq["dry_run_bell"]
    bell.set()


async def webhooks(arq: dict[str, Any]) -> None:
    """Wake the loop of this worker that delivers to webhooks."""
    await _hear(arq)
    ctx: Context = arq["context"]
    ctx.webhook_bell.set()


async def startup(arq: dict[str, Any]) -> None:
    """Open the context of the worker. `shutdown` closes it."""
    calm_garbage_collection()
    stack = AsyncExitStack()
    arq["stack"] = stack
    arq["dry_run_bell"] = asyncio.Event()
    context = open_context(get_settings(), arq["redis"], arq["dry_run_bell"])
    arq["context"] = await stack.enter_async_context(context)


async def shutdown(arq: dict[str, Any]) -> None:
    """Close the context, if `startup` has opened it."""
    if "stack" in arq:
        await arq["stack"].aclose()


def calm_garbage_collection() -> None:
    """Collect garbage less often, because collections take a tenth of the time of a chunk.

    A chunk creates thousands of objects and releases them all.
    """
    freeze_loaded()
    gc.set_threshold(50_000, 20, 50)


async def _hear(arq: dict[str, Any]) -> None:
    ctx: Context = arq["context"]
    await ctx.queue.hear(arq["job_id"])


async def _serve(arq: dict[str, Any], work: Callable[..., Awaitable[object]], *arguments: object) -> None:
    """Do the work of a bell. An error is not raised, because arq would log a traceback for each bell.

    The reconciler rings again.
    """
    ctx: Context = arq["context"]
    try:
        await work(ctx, *arguments)
    except Exception as error:
        kind = f"a bell failed with {type(error).__name__}"
        ctx.repeated.log(logging.WARNING, kind, "%s: %s", kind, error, exc_info=is_ours(error))
