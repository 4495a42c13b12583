"""Small jobs whose workers lose PostgreSQL at random steps leave what one worker without faults leaves."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from schemas.operations import Operation
from storage import failpoints
from storage.background import beside
from storage.context import Context
from storage.pipeline import finish
from tests.factories import contact
from tests.integration.worker.job_runs import assert_consistent
from tests.integration.worker.small_jobs import Job, make_tenant, stored, submit
from tests.steps import OF_CHUNKS
from tests.workers import POLL, claim, unfinished
from worker.apply import apply_chunk
from worker.finish import finish_if_last
from worker.turn import keep_claims, take_turn

LIMITS = [0, 0, 10_000, 10_000]  # of the accounts
JOBS = 60
CONTACTS = 8
ARM_SECONDS = 0.4  # at most, between two faults: more of them would let nothing pass
OF_CONTACTS = [Operation.CONTACTS_UPSERT, Operation.LISTS_ADD, Operation.LISTS_REMOVE]  # of one stream


@pytest.mark.parametrize("seed", range(3))
async def test_the_effect_is_that_of_one_worker_without_faults(
    ctx: Context, crew: list[Context], seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _random_plan(random.Random(seed))
    tenants = [await make_tenant(ctx, limit) for limit in LIMITS]
    jobs = await submit(ctx, tenants, plan)
    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "FOLDER", tmp_path)
        async with _disturbed(crew, random.Random(seed), tmp_path), asyncio.timeout(60):
            await asyncio.gather(*(_work(worker) for worker in crew for _ in range(2)))
    assert not any(worker.held for worker in crew)
    twins = [await make_tenant(ctx) for _ in LIMITS]
    others = await submit(ctx, twins, plan)
    while await unfinished(ctx):
        await apply_chunk(ctx, await claim(ctx))
    assert await stored(ctx, tenants, jobs) == await stored(ctx, twins, others)
    await assert_consistent(ctx)


def _random_plan(draw: random.Random) -> list[Job]:
    return [
        Job(draw.randrange(len(LIMITS)), draw.choice(OF_CONTACTS), [_item(draw) for _ in range(size)])
        for size in draw.choices((1, 2, 3, 10), k=JOBS)
    ]


def _item(draw: random.Random) -> dict[str, Any]:
    item: dict[str, Any] = {"phone": contact(draw.randrange(CONTACTS))["phone"]}
    for name in ("name", "email"):
        if draw.random() < 0.5:
            item[name] = draw.choice(("a@example.com", "b@example.com", None))
    if draw.random() < 0.05:
        item["external_id"] = draw.choice("xyz")
    if draw.random() < 0.06:
        item |= draw.choice(({"phone": "x"}, {"name": "a\0b"}))  # the second one is found by the database
    return item


async def _work(worker: Context) -> None:
    """Take turns and finish jobs until none is left."""
    while await unfinished(worker):
        with suppress(ConnectionError):
            await take_turn(worker)
        for account_id, job_id in await finish.unended(worker.pool):
            with suppress(ConnectionError):
                await finish_if_last(worker, account_id, job_id)
        await asyncio.sleep(POLL)


@asynccontextmanager
async def _disturbed(crew: list[Context], draw: random.Random, folder: Path) -> AsyncIterator[None]:
    """Let random steps lose PostgreSQL. The workers renew their claims, and disown those that they lost."""

    async def disturb() -> None:
        while True:
            (folder / draw.choice(OF_CHUNKS)).write_text("fail lost")
            await asyncio.sleep(draw.random() * ARM_SECONDS)

    async with AsyncExitStack() as stack:
        for worker in crew:
            await stack.enter_async_context(keep_claims(worker))
        await stack.enter_async_context(beside(disturb()))
        yield
