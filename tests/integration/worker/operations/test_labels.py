"""labels.attach and labels.detach: the contacts that have the label after the job, and skipped ones."""

import asyncio
from typing import Any

import pytest

from schemas.operations import JobParams, Operation
from storage.context import Context
from tests.factories import make_account, make_contacts, make_job, make_label, make_team, phone
from tests.integration.worker.job_runs import assert_consistent, members_of, run, run_job, words_of
from tests.waiting import until
from tests.workers import (
    barred,
    claim,
    counts_of,
    drain,
    job_of,
    results_of,
    waiting_backends,
)
from worker.apply import apply_chunk
from worker.finish import finish_if_last

ATTACH, DETACH = Operation.LABELS_ATTACH, Operation.LABELS_DETACH
CROSS_ORG = ("skipped", "skipped_cross_org")
TEAM_MISMATCH = ("skipped", "skipped_team_mismatch")


async def test_a_label_is_attached_once_and_detached_once(ctx: Context) -> None:
    account = await make_account(ctx)
    label_id, other = await make_label(ctx, account.id), await make_label(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(4))
    await run(ctx, account.id, ATTACH, ids, label_id=other)
    assert words_of(await run(ctx, account.id, ATTACH, ids[:2], label_id=label_id)) == ["updated"] * 2
    again = await run(ctx, account.id, ATTACH, ids, label_id=label_id)
    assert words_of(again) == ["unchanged"] * 2 + ["updated"] * 2
    assert await members_of(ctx, "label", label_id) == set(ids)
    job_id, results = await run_job(ctx, account.id, DETACH, [ids[0], ids[0], ids[1]], label_id=label_id)
    assert words_of(results) == ["merged", "updated", "updated"]
    job = await job_of(ctx, account.id, job_id)
    assert (job.added, job.removed) == (0, 2)
    assert words_of(await run(ctx, account.id, DETACH, ids[:3], label_id=label_id)) == [
        *["unchanged"] * 2,
        "updated",
    ]
    assert await members_of(ctx, "label", label_id) == {ids[3]}
    assert await members_of(ctx, "label", other) == set(ids)
    await assert_consistent(ctx)


async def test_unknown_and_foreign_contacts_are_skipped(ctx: Context) -> None:
    account, other_account = await make_account(ctx), await make_account(ctx)
    (foreign,) = await make_contacts(ctx, other_account.id, [1])
    (one,) = await make_contacts(ctx, account.id, [2])
    label_id = await make_label(ctx, account.id)
    items: list[Any] = [foreign, one, foreign, "nobody", {"phone": phone(9)}, one, {"external_id": "x"}]
    job_id, results = await run_job(ctx, account.id, ATTACH, items, label_id=label_id)
    assert words_of(results) == [CROSS_ORG, "merged", *[CROSS_ORG] * 3, "updated", CROSS_ORG]
    assert [result.contact_id for result in results] == [None, one, None, None, None, one, None]
    assert all(result.message for result in results if result.code)
    job = await job_of(ctx, account.id, job_id)
    assert (job.state, job.added, job.removed) == ("completed", 1, 0)
    assert counts_of(job) == {"updated": 1, "merged": 1, "skipped": 5}
    assert await members_of(ctx, "label", label_id) == {one}


@pytest.mark.parametrize("operation", [ATTACH, DETACH])
async def test_a_label_of_one_team_skips_the_contacts_of_another(ctx: Context, operation: Operation) -> None:
    account = await make_account(ctx)
    team, rivals = await make_team(ctx, account.id), await make_team(ctx, account.id)
    (own,) = await make_contacts(ctx, account.id, [1], team_id=team)
    (rival,) = await make_contacts(ctx, account.id, [2], team_id=rivals)
    (free,) = await make_contacts(ctx, account.id, [3])
    label_id, common = await make_label(ctx, account.id, team), await make_label(ctx, account.id)
    items = [own, rival, free, rival]
    results = await run(ctx, account.id, operation, items, label_id=label_id)
    changed = "updated" if operation is ATTACH else "unchanged"
    assert words_of(results) == [changed, TEAM_MISMATCH, changed, TEAM_MISMATCH]
    assert [result.contact_id for result in results] == items
    results = await run(ctx, account.id, operation, items, label_id=common)
    assert words_of(results) == [changed, "merged", changed, changed]
    assert rival not in await members_of(ctx, "label", label_id)


async def test_the_last_item_of_a_contact_has_its_outcome_across_chunks(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    team, rivals = await make_team(ctx, account.id), await make_team(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(20), team_id=team)
    (rival,) = await make_contacts(ctx, account.id, [99], team_id=rivals)
    label_id = await make_label(ctx, account.id, team)
    items = [*ids, rival, "nobody"] * 3
    job_id, results = await run_job(
        ctx, account.id, ATTACH, items, label_id=label_id, chunk_items=5, parallel=8, workers=crew
    )
    skipped = [TEAM_MISMATCH, CROSS_ORG]
    assert words_of(results) == [*["merged"] * 20, *skipped] * 2 + [*["updated"] * 20, *skipped]
    assert [result.merged_into for result in results[:20]] == list(range(44, 64))
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"updated": 20, "merged": 40, "skipped": 6}
    assert (job.added, job.removed) == (20, 0)
    await assert_consistent(ctx)


async def test_a_skipped_item_beside_a_bad_one_stays_skipped(ctx: Context) -> None:
    account = await make_account(ctx)
    label_id = await make_label(ctx, account.id)
    (one,) = await make_contacts(ctx, account.id, [1])
    items = ["nobody", one, {"external_id": "a\0b"}, "nobody", one, "nobody"]
    results = await run(ctx, account.id, ATTACH, items, label_id=label_id)
    bad = ("failed", "invalid_character")
    assert words_of(results) == [CROSS_ORG, "merged", bad, CROSS_ORG, "updated", CROSS_ORG]


@pytest.mark.parametrize("operation", [ATTACH, DETACH])
async def test_every_item_fails_if_the_label_was_deleted(ctx: Context, operation: Operation) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(3))
    label_id = await make_label(ctx, account.id)
    job_id = await make_job(
        ctx,
        account.id,
        [*ids, "nobody"],
        operation=operation,
        params=JobParams(label_id=label_id),
        chunk_items=2,
    )
    held = await claim(ctx)
    await ctx.pool.execute("DELETE FROM labels")
    await apply_chunk(ctx, held)
    await drain(ctx)
    assert words_of(await results_of(ctx, account.id, job_id)) == [("failed", "target_gone")] * 4
    assert await members_of(ctx, "label", label_id) == set()


async def test_results_stay_if_the_label_is_deleted_before_finish(ctx: Context) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(2))
    params = JobParams(label_id=await make_label(ctx, account.id))
    job_id = await make_job(
        ctx, account.id, ids * 2, operation=ATTACH, params=params, chunk_items=2, parallel=2
    )
    first, second = await claim(ctx), await claim(ctx)
    await apply_chunk(ctx, second)
    async with barred(ctx, "SELECT FROM jobs FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(ctx, first))
        await until(lambda: waiting_backends(ctx))
        applying.cancel()
        await asyncio.wait([applying])
    await ctx.pool.execute("DELETE FROM memberships")
    await ctx.pool.execute("DELETE FROM labels")
    await finish_if_last(ctx, account.id, job_id)
    assert words_of(await results_of(ctx, account.id, job_id)) == ["merged"] * 2 + ["updated"] * 2


async def test_a_label_of_another_account_is_not_found(ctx: Context) -> None:
    account, other_account = await make_account(ctx), await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(2))
    label_id = await make_label(ctx, other_account.id)
    results = await run(ctx, account.id, ATTACH, ids, label_id=label_id)
    assert words_of(results) == [("failed", "target_gone")] * 2
    assert await members_of(ctx, "label", label_id) == set()
