"""Dry runs: each keeps its place in the stream and runs in one transaction that is rolled back."""

import asyncio
from typing import Any

import pytest

from schemas.ids import AccountId
from schemas.operations import JobParams, Operation
from storage.background import beside
from storage.context import Context
from storage.entities import upsert
from storage.pipeline import dry_runs
from storage.postgres.pool import Conn
from tests.factories import contact, make_account, make_contacts, make_job, phone
from tests.integration.worker.cancelling import waiting
from tests.integration.worker.dry_runs import Stop, dry_run_all, dump, report_of
from tests.waiting import until
from tests.workers import (
    barred,
    bells,
    claim,
    claim_chunk,
    claim_in,
    counts_of,
    drain,
    job_of,
    results_of,
    serving,
    unfinished,
)
from worker import dry_run
from worker.apply import apply_chunk
from worker.dry_run import dry_run_forever, dry_run_next
from worker.finish import finish_if_last
from worker.split import split_job

LABEL: dict[str, Any] = {"operation": Operation.LABELS_ATTACH, "params": JobParams(label_id=1)}


async def ended(ctx: Context) -> bool:
    return not await unfinished(ctx)


async def test_a_dry_run_reports_each_outcome_and_changes_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(3), name="Name 1")
    before = await dump(ctx)
    items = [contact(n) for n in range(5)] + [
        {"phone": "12", "ref": "mine"},
        {"phone": phone(9), "name": "\0"},
    ]
    job_id = await make_job(ctx, account.id, items, chunk_items=2, dry_run=True)
    assert await dry_run_all(ctx) == 1
    assert await dump(ctx) == before
    job = await job_of(ctx, account.id, job_id)
    assert job.state == "completed_with_errors"
    assert counts_of(job) == {"created": 2, "updated": 2, "unchanged": 1, "failed": 2}
    results = await results_of(ctx, account.id, job_id)
    ids = [row["id"] for row in await ctx.pool.fetch("SELECT id FROM contacts ORDER BY phone")]
    assert [result.contact_id for result in results] == [*ids, None, None, None, None]
    report = await report_of(ctx, account.id, job_id)
    assert [(index, ref, code) for index, ref, _, code, *_ in report["errors"]] == [
        (5, "mine", "phone_too_short"),
        (6, None, "invalid_character"),
    ]


async def test_a_dry_run_keeps_its_place_in_the_stream(ctx: Context) -> None:
    account = await make_account(ctx)
    first = await make_job(ctx, account.id, [contact(1)])
    dry = await make_job(ctx, account.id, [contact(1), contact(2)], dry_run=True)
    last = await make_job(ctx, account.id, [contact(2)])
    assert not await dry_run_next(ctx)
    await apply_chunk(ctx, await claim(ctx))
    assert set(await bells(ctx)) == {"work", "dry_run"}
    assert counts_of(await job_of(ctx, account.id, first)) == {"created": 1}
    assert await claim_chunk(ctx) is None
    assert await dry_run_next(ctx)
    assert counts_of(await job_of(ctx, account.id, dry)) == {"unchanged": 1, "created": 1}
    assert set(await bells(ctx)) == {"work", "dry_run"}
    await drain(ctx)
    assert counts_of(await job_of(ctx, account.id, last)) == {"created": 1}


async def test_a_dry_run_does_not_use_the_window(ctx: Context) -> None:
    account = await make_account(ctx, item_limit=3, window_seconds=3600)
    await make_job(ctx, account.id, [contact(1), contact(2)])
    await drain(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(10)], dry_run=True)
    assert await dry_run_next(ctx)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 8, "unchanged": 2}
    assert await ctx.pool.fetchval("SELECT sum(items) FROM grants") == 2
    await make_job(ctx, account.id, [contact(1)])
    assert (await claim(ctx)).items == 1


async def test_a_dry_run_is_split_and_then_its_bell_rings(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [contact(n) for n in range(2_300)]
    job_id = await make_job(ctx, account.id, items, split=False, dry_run=True)
    assert not await dry_run_next(ctx)
    await split_job(ctx, account.id, job_id)
    assert await bells(ctx) == {"dry_run": 1}
    assert await dry_run_next(ctx)
    job = await job_of(ctx, account.id, job_id)
    assert (job.total, counts_of(job)) == (2_300, {"created": 2_300})


async def test_a_dry_run_without_items_ends(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [], dry_run=True)
    assert await dry_run_next(ctx)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.total, counts_of(job)) == ("completed", 0, {})


async def test_the_counts_of_a_running_dry_run_are_visible(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(9)], chunk_items=3, dry_run=True)
    stop = Stop(monkeypatch, 2)
    dry_running = asyncio.create_task(dry_run_next(ctx))
    await stop.reached.wait()
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.created, job.started_at is None) == ("running", 6, False)
    assert len(await results_of(ctx, account.id, job_id)) == 6
    stop.resume.set()
    await dry_running
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 9}


async def test_a_dry_run_blocks_other_jobs_of_its_account_only(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run holds locks: a worker that waited for them could not serve other accounts."""
    account, other = await make_account(ctx), await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(4)], chunk_items=2, dry_run=True)
    await make_job(ctx, account.id, [{"phone": phone(1)}], dry_run=True, **LABEL)
    stop = Stop(monkeypatch, 1)
    dry_running = asyncio.create_task(dry_run_next(crew[0]))
    await stop.reached.wait()
    assert not await dry_run_next(crew[1])
    await make_job(ctx, account.id, [{"phone": phone(1)}], operation=Operation.PREFERENCES_SET)
    theirs = await make_job(ctx, other.id, [contact(1)])
    assert (await claim(crew[1])).job_id == theirs
    assert await claim_chunk(crew[1]) is None
    stop.resume.set()
    await dry_running
    assert (await claim(crew[1])).account_id == account.id
    assert set(await bells(ctx)) == {"work"}


async def test_a_dry_run_waits_for_chunks_in_flight(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, [1])
    label = await make_job(ctx, account.id, [{"phone": phone(1)}], **LABEL)
    dry = await make_job(ctx, account.id, [contact(1)], dry_run=True)
    held = await claim(ctx)
    begun = Stop(monkeypatch, 0)
    dry_running = asyncio.create_task(dry_run_next(crew[0]))
    await until(lambda: _state(ctx, account.id, dry, "running"))
    assert not begun.reached.is_set()
    await apply_chunk(ctx, held)
    await begun.reached.wait()
    assert await _state(
        ctx, account.id, label, "running"
    )  # finish waits, because it may have to settle contacts
    begun.resume.set()
    await dry_running
    await finish_if_last(ctx, account.id, label)
    assert await ended(ctx)


async def test_a_dry_run_waits_for_a_claim_in_progress(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await make_account(ctx)
    await make_job(ctx, account.id, [{"phone": phone(1)}], **LABEL)
    await make_job(ctx, account.id, [contact(1)], dry_run=True)
    begun = Stop(monkeypatch, 0)
    async with ctx.pool.acquire() as conn, conn.transaction():
        held = await claim_in(ctx, conn)
        dry_running = asyncio.create_task(dry_run_next(crew[0]))
        await until(lambda: waiting(ctx, 1))
    await until(lambda: _dry_running(ctx))
    assert not begun.reached.is_set()
    await apply_chunk(ctx, held)
    begun.resume.set()
    await dry_running


async def _dry_running(ctx: Context) -> bool:
    return bool(await ctx.pool.fetchval("SELECT count(*) FROM running_dry_runs"))


async def _state(ctx: Context, account_id: AccountId, job_id: Any, state: str) -> bool:
    return bool((await job_of(ctx, account_id, job_id)).state == state)


async def test_a_dry_run_waits_for_closing_steps_in_progress(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[bool] = []
    check = dry_runs.in_flight

    async def in_flight(*args: Any) -> bool:
        checks.append(await check(*args))
        return checks[-1]

    monkeypatch.setattr(dry_runs, "in_flight", in_flight)
    account = await make_account(ctx)
    label = await make_job(ctx, account.id, [{"phone": phone(1)}], **LABEL)
    await make_job(ctx, account.id, [contact(1)], dry_run=True)
    held = await claim(ctx)
    async with barred(ctx, "SELECT FROM streams WHERE stream = 'label:1' FOR UPDATE"):
        ending = asyncio.create_task(apply_chunk(ctx, held))
        await until(lambda: _finishing(ctx))
        dry_running = asyncio.create_task(dry_run_next(crew[0]))
        await until(lambda: _checked_three_times(checks))
    await asyncio.gather(ending, dry_running)
    assert checks[:3] == [True] * 3
    assert checks[-1] is False
    assert await _state(ctx, account.id, label, "completed_with_errors")
    assert await ended(ctx)


async def _finishing(ctx: Context) -> bool:
    sql = "SELECT count(*) FROM jobs WHERE NOT dry_run AND lease_until > now()"
    return bool(await ctx.pool.fetchval(sql))


async def _checked_three_times(checks: list[bool]) -> bool:
    return len(checks) > 2


async def test_the_staging_table_is_truncated_after_each_chunk(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A staging table that is emptied by DELETE grows with the job, and each chunk scans all of it."""
    sizes = []
    truncate = upsert.truncate_stage

    async def measured(conn: Conn) -> None:
        sizes.append(await conn.fetchval("SELECT pg_relation_size('stage_contacts')"))
        await truncate(conn)

    monkeypatch.setattr(upsert, "truncate_stage", measured)
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(n) for n in range(2_000)], chunk_items=200, dry_run=True)
    assert await dry_run_next(ctx)
    assert len(sizes) == 10
    assert max(sizes[1:]) == min(sizes[1:]) > 0


async def test_the_bell_wakes_an_idle_worker(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "EVERY_SECONDS", 3600.0)
    account = await make_account(ctx)
    async with serving(*crew[:2]):
        for n in range(3):
            job_id = await make_job(ctx, account.id, [contact(n)], dry_run=True)
            await ctx.queue.ring_dry_run()
            await until(lambda: ended(ctx))
            assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 1}


async def test_a_dry_run_starts_without_its_bell(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "EVERY_SECONDS", 0.05)
    account = await make_account(ctx)
    async with serving(crew[0]):
        for n in range(3):
            await make_job(ctx, account.id, [contact(n)], dry_run=True)
        await until(lambda: ended(ctx))


async def test_dry_runs_continue_after_an_error(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "EVERY_SECONDS", 0.01)
    account = await make_account(ctx)
    await make_job(ctx, account.id, [contact(1)], dry_run=True)
    await ctx.pool.execute("ALTER TABLE contacts RENAME TO away")

    async def tried() -> bool:
        return bool(await ctx.pool.fetchval("SELECT count(*) FROM chunks WHERE token > 1"))

    async with beside(dry_run_forever(crew[0], asyncio.Event())):
        await until(tried)
        await ctx.pool.execute("ALTER TABLE away RENAME TO contacts")
        await until(lambda: ended(ctx))
