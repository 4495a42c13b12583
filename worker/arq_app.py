"""The arq worker: its tasks, which are the four doorbells, and its settings.

A doorbell carries ids only; each may ring for nothing, twice, or late.
"""

import asyncio
import gc
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from arq.typing import WorkerCoroutine
from arq.worker import func

from schemas.ids import AccountId, JobId
from schemas.settings import get_settings
from storage import queue
from storage.context import Context
from worker.context import open_context
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn

LONG_SECONDS = 3600  # to split, and to settle, a job of many millions of items


@lru_cache(maxsize=1)
def worker_settings() -> type:
    """Make the class that `arq worker.WorkerSettings` reads; raises SettingsMissing without REDIS_URL."""
    return type("WorkerSettings", (), arq_options())


def arq_options() -> dict[str, Any]:
    """The options of an arq worker, with a fresh client."""
    settings = get_settings()
    database_url, redis_url = settings.required_urls()
    del database_url  # asked for here so that its absence shows before the first doorbell
    long = [func(cast(WorkerCoroutine, task), timeout=LONG_SECONDS) for task in (split, finish)]
    return {
        "functions": [work, dry_run, *long],
        "on_startup": startup,
        "on_shutdown": shutdown,
        "queue_name": settings.queue_name,
        "redis_pool": queue.connect(redis_url, queue_name=settings.queue_name),  # time-outs, keepalive
        "redis_settings": queue.arq_settings(redis_url),  # `arq --check` reads only these
        "job_serializer": queue.serialize,
        "job_deserializer": queue.deserialize,
        "max_jobs": settings.worker_turns,
        "poll_delay": 0.02,  # seconds; arq's 0.5 would be a mean latency of 250 ms
        "queue_read_limit": 1_000,  # the head of the queue holds the jobs in flight of all workers
        "keep_result": 0,  # a doorbell has no result
        "max_tries": 1,  # the reconciler rings again
        "retry_jobs": False,
        "job_timeout": 120,  # seconds; a turn ends after 2, and a chunk more
        "job_completion_wait": 15,  # seconds; above a turn and one chunk more
        "health_check_interval": 5,
        "log_results": False,
    }


async def work(arq: dict[str, Any]) -> None:
    """Take a turn: there may be chunks to claim."""
    await take_turn(_context(arq))


async def split(arq: dict[str, Any], account_id: int, job_id: str) -> None:
    """Split a job: it may have parts that are no chunks yet."""
    await split_job(_context(arq), AccountId(account_id), JobId(UUID(job_id)))


async def finish(arq: dict[str, Any], account_id: int, job_id: str) -> None:
    """Finish a job: nothing of it may be left to apply."""
    await finish_if_last(_context(arq), AccountId(account_id), JobId(UUID(job_id)))


async def dry_run(arq: dict[str, Any]) -> None:
    """Wake the dry-run loop of this worker, because a dry run takes longer than a turn."""
    bell: asyncio.Event = arq["dry_run_bell"]
    bell.set()


async def startup(arq: dict[str, Any]) -> None:
    """Open the context for as long as the worker runs."""
    _calm_garbage_collection()
    stack = AsyncExitStack()
    arq["stack"] = stack
    arq["dry_run_bell"] = asyncio.Event()
    context = open_context(get_settings(), arq["redis"], arq["dry_run_bell"])
    arq["context"] = await stack.enter_async_context(context)


async def shutdown(arq: dict[str, Any]) -> None:
    """Close what `startup` opened, if it got that far."""
    if "stack" in arq:
        await arq["stack"].aclose()


def _calm_garbage_collection() -> None:
    """Collect less often: a chunk makes thousands of objects and drops them all (a tenth of its time).

    What is loaded now, the metadata of phonenumbers above all, is kept and not searched again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _context(arq: dict[str, Any]) -> Context:
    context: Context = arq["context"]
    return context
