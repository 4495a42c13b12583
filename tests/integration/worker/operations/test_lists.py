"""lists.add and lists.remove: upsert the contacts, then add them to the list or remove them."""

import random
from typing import Any

import pytest

from schemas.operations import Operation
from storage.context import Context
from tests.factories import contact, make_account, make_contacts, make_list, phone
from tests.integration.worker.job_runs import assert_consistent, members_of, run, run_job, words_of
from tests.integration.worker.upserts import Upserts, make_defined_account, sparse_item, stored
from tests.workers import counts_of, job_of, versions

ADD, REMOVE, OVERWRITE = Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE
ALL = [ADD, REMOVE, OVERWRITE]


async def test_added_contacts_are_created_or_updated_first(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    known = await make_contacts(ctx, account.id, range(2), name="Ana")
    items = [{"phone": phone(0), "name": "Bo"}, {"phone": phone(1)}, contact(2), {"phone": "12"}, contact(2)]
    job_id, results = await run_job(ctx, account.id, ADD, items, list_id=list_id)
    assert words_of(results) == ["updated", "updated", "merged", ("failed", "phone_too_short"), "created"]
    assert [result.contact_id for result in results[:2]] == known
    names = {row["phone"]: row["name"] for row in await ctx.pool.fetch("SELECT phone, name FROM contacts")}
    assert names == {phone(0): "Bo", phone(1): "Ana", phone(2): "Name 2"}
    assert await members_of(ctx, "list", list_id) == set(await versions(ctx, account.id))
    job = await job_of(ctx, account.id, job_id)
    assert (job.added, job.removed) == (3, 0)
    await assert_consistent(ctx)


async def test_repeating_a_job_changes_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    items = [contact(n) for n in range(5)]
    await run(ctx, account.id, ADD, items, list_id=list_id)
    before = await versions(ctx, account.id)
    job_id, results = await run_job(ctx, account.id, ADD, items, list_id=list_id)
    assert words_of(results) == ["unchanged"] * 5
    assert await versions(ctx, account.id) == before
    assert (await job_of(ctx, account.id, job_id)).added == 0


async def test_removed_contacts_are_also_created_or_updated(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id, other = await make_list(ctx, account.id), await make_list(ctx, account.id)
    for one in (list_id, other):
        await run(ctx, account.id, ADD, [contact(n) for n in range(4)], list_id=one)
    items = [contact(0), {"phone": phone(1), "name": "Bo"}, contact(9), contact(0)]
    job_id, results = await run_job(ctx, account.id, REMOVE, items, list_id=list_id)
    assert words_of(results) == ["merged", "updated", "created", "updated"]
    left = await members_of(ctx, "list", list_id)
    assert len(left) == 2
    assert len(await members_of(ctx, "list", other)) == 4
    job = await job_of(ctx, account.id, job_id)
    assert (job.added, job.removed) == (0, 2)
    (again,) = await run(ctx, account.id, REMOVE, [contact(0)], list_id=list_id)
    assert again.outcome.word == "unchanged"
    await assert_consistent(ctx)


@pytest.mark.parametrize("operation", ALL)
async def test_a_list_archived_after_accept_still_takes_the_job(ctx: Context, operation: Operation) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    await ctx.pool.execute("UPDATE contact_lists SET archived_at = now()")
    results = await run(ctx, account.id, operation, [contact(1)], list_id=list_id)
    assert words_of(results) == ["created"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("operation", ALL)
async def test_parallel_chunks_give_the_result_of_items_one_by_one(
    ctx: Context, crew: list[Context], operation: Operation, seed: int
) -> None:
    rng = random.Random(seed)
    account = await make_defined_account(ctx)
    list_id = await make_list(ctx, account.id)
    await run(ctx, account.id, ADD, [contact(n) for n in range(20)], list_id=list_id)
    model = Upserts()
    for n in range(20):
        model.apply(contact(n))
    items: list[Any] = [sparse_item(rng, 30) for _ in range(120)]
    for item in items:
        model.apply(item)
    job_id, results = await run_job(
        ctx, account.id, operation, items, list_id=list_id, chunk_items=7, parallel=16, workers=crew
    )
    assert await stored(ctx, account.id) == model.plain()
    named = {item["phone"] for item in items}
    before = {phone(n) for n in range(20)}
    expected = {ADD: before | named, REMOVE: before - named, OVERWRITE: named}[operation]
    ids = {row["phone"]: row["id"] for row in await ctx.pool.fetch("SELECT phone, id FROM contacts")}
    assert await members_of(ctx, "list", list_id) == {ids[one] for one in expected}
    last = {item["phone"]: index for index, item in enumerate(items)}
    for index, (item, result) in enumerate(zip(items, results, strict=True)):
        assert (result.outcome.word == "merged") == (last[item["phone"]] != index)
        assert result.contact_id == ids[item["phone"]]
        if index == last[item["phone"]]:
            assert (result.outcome.word == "created") == (item["phone"] not in before)
    job = await job_of(ctx, account.id, job_id)
    assert sum(counts_of(job).values()) == 120
    assert (job.added, job.removed) == (len(expected - before), len(before - expected))
    await assert_consistent(ctx)


async def test_a_rejected_row_fails_alone(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    items: list[Any] = [contact(n) for n in range(20)]
    items[7] = {"phone": phone(7), "name": "a\0b"}
    items[13] = contact(3, name="Again")
    job_id, results = await run_job(ctx, account.id, ADD, items, list_id=list_id)
    words = words_of(results)
    assert words[7] == ("failed", "invalid_character")
    assert (words[3], words[13]) == ("merged", "created")
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"created": 18, "merged": 1, "failed": 1}
    assert job.added == 18
    assert await members_of(ctx, "list", list_id) == set(await versions(ctx, account.id))
    await assert_consistent(ctx)


async def test_a_job_of_bad_items_does_not_change_the_list(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    await run(ctx, account.id, ADD, [contact(1)], list_id=list_id)
    before = await members_of(ctx, "list", list_id)
    for operation in ALL:
        results = await run(ctx, account.id, operation, [{"phone": "12"}] * 3, list_id=list_id)
        assert words_of(results) == [("failed", "phone_too_short")] * 3
        assert await members_of(ctx, "list", list_id) == before


async def test_two_accounts_may_have_the_same_phones(ctx: Context, crew: list[Context]) -> None:
    accounts = [await make_account(ctx) for _ in range(2)]
    lists = [await make_list(ctx, account.id) for account in accounts]
    items = [contact(n) for n in range(10)]
    for account, list_id in zip(accounts, lists, strict=True):
        await run(ctx, account.id, ADD, items, list_id=list_id, workers=crew)
    await run(ctx, accounts[0].id, OVERWRITE, items[:3], list_id=lists[0])
    await run(ctx, accounts[0].id, REMOVE, items[:1], list_id=lists[0])
    assert len(await members_of(ctx, "list", lists[0])) == 2
    assert await members_of(ctx, "list", lists[1]) == set(await versions(ctx, accounts[1].id))
    await assert_consistent(ctx)
