"""A dry run prepares a chunk while the one before is applied, and blames the right chunk for an error."""

import asyncio
from typing import Any

import pytest

from storage.context import Context
from storage.pipeline import dry_runs
from storage.pipeline.chunks import Claim
from tests.factories import contact, make_account, make_job
from tests.integration.worker.dry_runs import Stop, die, expire
from tests.waiting import until
from tests.workers import counts_of, job_of
from worker import dry_run
from worker.dry_run import dry_run_next
from worker.operations.base import Batch
from worker.prepare import prepare

CHUNKS = [0, 3, 6]


@pytest.fixture
async def prepared(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make a dry run of three chunks; return the list to which each prepared chunk is added."""
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(9)], chunk_items=3, dry_run=True)
    indexes: list[int] = []

    def noted(claim: Claim) -> Batch:
        indexes.append(claim.first_index)
        return prepare(claim)

    monkeypatch.setattr(dry_run, "prepare", noted)
    return indexes


async def deaths(ctx: Context) -> list[int]:
    return [row[0] for row in await ctx.pool.fetch("SELECT deaths FROM chunks ORDER BY first_index")]


async def test_a_chunk_is_prepared_while_the_one_before_is_applied(
    ctx: Context, prepared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop(monkeypatch, 0)
    running = asyncio.create_task(dry_run_next(ctx))
    await stop.reached.wait()
    await until(lambda: _is(prepared, CHUNKS[:2]))
    stop.resume.set()
    assert await running
    assert prepared == CHUNKS


async def test_nothing_overlaps_after_a_death(
    ctx: Context, crew: list[Context], prepared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may have died while it prepared the next chunk. The next attempt must tell the two apart."""
    with monkeypatch.context() as patch:
        stop = Stop(patch, 0)
        first = asyncio.create_task(dry_run_next(crew[0]))
        await stop.reached.wait()
        await die(first, patch)
    await expire(ctx)
    assert await deaths(ctx) == [0, 0, 0]
    steps: list[str] = []
    monkeypatch.setattr(dry_run, "prepare", _logged(prepare, "prepare", steps))
    record = dry_runs.record

    async def recorded(*args: Any) -> Any:
        done = await record(*args)
        steps.append(f"record {args[1].claim.first_index}")
        return done

    monkeypatch.setattr(dry_runs, "record", recorded)
    assert await dry_run_next(ctx)
    assert steps == [f"{step} {chunk}" for chunk in CHUNKS for step in ("prepare", "record")]
    assert await deaths(ctx) == [1, 0, 0]


async def test_the_chunk_that_fails_is_blamed_although_the_one_before_is_still_being_recorded(
    ctx: Context, prepared: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()
    apply, record = dry_run._apply_chunk, dry_runs.record

    async def applied(conn: Any, chunk: Claim, batch: Batch) -> Any:
        if chunk.first_index == CHUNKS[1] and not failed.is_set():
            failed.set()
            raise RuntimeError("an error that an item can cause")
        return await apply(conn, chunk, batch)

    async def recorded(*args: Any) -> Any:
        await failed.wait()
        return await record(*args)

    monkeypatch.setattr(dry_run, "_apply_chunk", applied)
    monkeypatch.setattr(dry_runs, "record", recorded)
    assert await dry_run_next(ctx)
    assert await deaths(ctx) == [0, 1, 0]
    assert await dry_run_next(ctx)
    (job,) = await ctx.pool.fetch("SELECT account_id, id FROM jobs")
    assert counts_of(await job_of(ctx, *job)) == {"created": 9}


async def _is(actual: list[int], expected: list[int]) -> bool:
    return actual == expected


def _logged(function: Any, name: str, steps: list[str]) -> Any:
    def logged(claim: Claim) -> Any:
        steps.append(f"{name} {claim.first_index}")
        return function(claim)

    return logged
