"""The four doorbells that arq delivers; each may ring for nothing, twice, or late."""

import asyncio
import gc
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

from schemas.ids import AccountId, JobId
from schemas.settings import get_settings
from storage.context import Context
from worker.context import open_context
from worker.finish import finish_if_last
from worker.split import split_job
from worker.turn import take_turn


async def work(arq: dict[str, Any]) -> None:
    """There may be chunks to claim."""
    await take_turn(_context(arq))


async def split(arq: dict[str, Any], account_id: int, job_id: str) -> None:
    """A job may have parts to split."""
    await split_job(_context(arq), AccountId(account_id), JobId(UUID(job_id)))


async def finish(arq: dict[str, Any], account_id: int, job_id: str) -> None:
    """A job may have to be ended."""
    await finish_if_last(_context(arq), AccountId(account_id), JobId(UUID(job_id)))


async def dry_run(arq: dict[str, Any]) -> None:
    """There may be a dry run to rehearse: passed on, for it takes longer than a turn."""
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
    """A chunk makes thousands of objects and drops them all: collecting in between is a tenth of its time.

    What is loaded now (the metadata of phonenumbers above all) stays, and is not looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _context(arq: dict[str, Any]) -> Context:
    context: Context = arq["context"]
    return context
