"""Chunks of a job applied in any order, some at once, give the result of its items applied one by one."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from schemas.ids import AccountId, JobId
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import reordered, results
from tests.factories import contact, make_account, make_contacts, make_job, phone
from tests.integration.worker.stepwise import change, row_of
from tests.integration.worker.upserts import Item, Upserts, make_defined_account, sparse_item, stored
from tests.waiting import until
from tests.workers import (
    barred,
    claim,
    claim_chunk,
    counts_of,
    drain,
    job_of,
    results_of,
    waiting_backends,
)
from worker import settle
from worker.apply import apply_chunk
from worker.finish import finish_if_last

BAD = {"phone": "12"}


async def apply_shuffled(rng: random.Random, crew: list[Context]) -> None:
    """Claim all chunks, then apply them in random order, some at once, each by a random worker."""
    claims = []
    while (claimed := await claim_chunk(rng.choice(crew))) is not None:
        claims.append(claimed)
    rng.shuffle(claims)
    while claims:
        at_once, claims = claims[: (n := rng.randint(1, 5))], claims[n:]
        await asyncio.gather(*(apply_chunk(rng.choice(crew), claimed) for claimed in at_once))


async def assert_results(
    ctx: Context, account_id: AccountId, job_id: JobId, items: list[Item], before: Upserts, after: Upserts
) -> None:
    """Assert the result of every item, and the counts of the job.

    The last item of a contact has the contact's outcome; the earlier ones are merged into it.
    """
    found = await results_of(ctx, account_id, job_id)
    last = {item["phone"]: index for index, item in enumerate(items) if item is not BAD}
    was = {contact["phone"]: contact for contact in before.plain()}
    now = {contact["phone"]: contact for contact in after.plain()}
    ids = {row["phone"]: row["id"] for row in await ctx.pool.fetch("SELECT phone, id FROM contacts")}
    for index, (item, result) in enumerate(zip(items, found, strict=True)):
        key = item["phone"]
        actual = (result.outcome, result.contact_id, result.merged_into)
        if item is BAD:
            assert actual == (Outcome.FAILED, None, None)
        elif index != last[key]:
            assert actual == (Outcome.MERGED, ids[key], last[key])
        elif key not in was:
            assert actual == (Outcome.CREATED, ids[key], None)
        elif was[key] != now[key]:
            assert actual == (Outcome.UPDATED, ids[key], None)
        else:  # a contact that changes and changes back may have either outcome
            assert result.outcome in (Outcome.UPDATED, Outcome.UNCHANGED)
            assert actual[1:] == (ids[key], None)
    job = await job_of(ctx, account_id, job_id)
    assert counts_of(job) == Counter(result.outcome.word for result in found)
    assert sum(counts_of(job).values()) == job.total == len(items)


@pytest.mark.parametrize("seed", range(6))
async def test_shuffled_chunks_end_as_one_by_one(ctx: Context, crew: list[Context], seed: int) -> None:
    rng = random.Random(seed)
    account = await make_defined_account(ctx)
    before, after = Upserts(), Upserts()
    earlier = [sparse_item(rng, 20) for _ in range(30)]
    await make_job(ctx, account.id, earlier, parallel=1)
    await drain(ctx)
    for item in earlier:
        before.apply(item)
        after.apply(item)
    items = [BAD if rng.random() < 0.05 else sparse_item(rng, 40) for _ in range(200)]
    for item in items:
        if item is not BAD:
            after.apply(item)
    job_id = await make_job(ctx, account.id, items, chunk_items=rng.randint(3, 20), parallel=64)
    await apply_shuffled(rng, crew)
    assert await stored(ctx, account.id) == after.plain()
    await assert_results(ctx, account.id, job_id, items, before, after)


async def test_many_jobs_drained_by_four_workers_end_as_one_by_one(ctx: Context, crew: list[Context]) -> None:
    rng = random.Random(99)
    account = await make_defined_account(ctx)
    model = Upserts()
    for _ in range(4):
        items = [sparse_item(rng, 25) for _ in range(120)]
        for item in items:
            model.apply(item)
        await make_job(ctx, account.id, items, chunk_items=rng.randint(3, 12), parallel=rng.choice([1, 4, 8]))
    await drain(*crew)
    assert await stored(ctx, account.id) == model.plain()


async def test_chunks_applied_backwards_end_with_the_last_item(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [contact(1, name=f"Name {n}", metadata={"n": n, f"k{n}": n}) for n in range(9)]
    job_id = await make_job(ctx, account.id, items, chunk_items=3, parallel=3)
    for claimed in reversed([await claim(ctx) for _ in range(3)]):
        await apply_chunk(ctx, claimed)
    (row,) = await stored(ctx, account.id)
    assert row["name"] == "Name 8"
    assert row["metadata"] == {"n": 8, **{f"k{n}": n for n in range(9)}}
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 1, "merged": 8}


async def test_results_are_not_sorted_by_contact_if_no_contact_is_named_twice(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*arguments: Any, **options: Any) -> None:
        pytest.fail("a sort of all results, although no contact is named twice")

    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(9))
    items = [contact(n, name="changed") for n in range(9)]
    job_id = await make_job(ctx, account.id, items, chunk_items=3, parallel=3)
    monkeypatch.setattr(results, "merge_repeated", forbid)
    monkeypatch.setattr(reordered, "opened", forbid)
    for claimed in reversed([await claim(ctx) for _ in range(3)]):
        await apply_chunk(ctx, claimed)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"updated": 9}


async def all_applied_but_not_ended(ctx: Context, worker: Context) -> tuple[AccountId, JobId, list[Item]]:
    """Make a job of 20 contacts, each in two chunks that are applied in reverse order, without finish."""
    account = await make_account(ctx)
    items = [contact(n % 20, name=f"Name {n}") for n in range(40)]
    job_id = await make_job(ctx, account.id, items, chunk_items=20, parallel=2)
    claims = [await claim(worker) for _ in range(2)]
    await apply_chunk(worker, claims[1])
    async with barred(ctx, "SELECT FROM jobs FOR UPDATE"):
        applying = asyncio.create_task(apply_chunk(worker, claims[0]))
        await until(lambda: waiting_backends(ctx))
        applying.cancel()
        await asyncio.wait([applying])
    return account.id, job_id, items


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settle only a few contacts in each transaction."""
    monkeypatch.setattr(settle, "BATCH_CONTACTS", 3)


LAST_CONTACT = "SELECT FROM contacts WHERE id = (SELECT max(id) FROM contacts) FOR UPDATE"


@pytest.mark.usefixtures("small_steps")
async def test_an_interrupted_settle_is_resumed(ctx: Context, crew: list[Context]) -> None:
    account_id, job_id, items = await all_applied_but_not_ended(ctx, crew[0])
    async with barred(ctx, LAST_CONTACT):
        ending = asyncio.create_task(finish_if_last(crew[0], account_id, job_id))
        await until(lambda: waiting_backends(ctx))
        ending.cancel()
        await asyncio.wait([ending])
    later = {f"Name {n}" for n in range(20, 40)}
    settled = sum(contact["name"] in later for contact in await stored(ctx, account_id))
    assert 0 < settled < 20
    await ctx.pool.execute("UPDATE jobs SET lease_until = NULL, token = NULL")
    await finish_if_last(crew[1], account_id, job_id)
    await assert_settled(ctx, account_id, job_id, items)


@pytest.mark.usefixtures("small_steps")
async def test_two_workers_may_settle_one_job_at_once(ctx: Context, crew: list[Context]) -> None:
    account_id, job_id, items = await all_applied_but_not_ended(ctx, crew[0])
    async with barred(ctx, "LOCK TABLE parts"):
        first = asyncio.create_task(finish_if_last(crew[0], account_id, job_id))
        await until(lambda: waiting_backends(ctx))
        # the second starts before the first has settled anything
        await ctx.pool.execute("UPDATE jobs SET lease_until = NULL, token = NULL")
        second = asyncio.create_task(finish_if_last(crew[1], account_id, job_id))
        await until(lambda: _two_wait(ctx))
    await asyncio.gather(first, second)
    await assert_settled(ctx, account_id, job_id, items)


async def test_a_worker_that_lost_its_lease_corrects_nothing_after_the_end(
    ctx: Context, crew: list[Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the end, the name is again one that an earlier item set. The late worker cannot know by whom."""
    stopped, go_on = asyncio.Event(), asyncio.Event()
    read = settle._histories

    async def read_and_stop(*arguments: Any) -> Any:
        histories = await read(*arguments)
        if not stopped.is_set():
            stopped.set()
            await go_on.wait()
        return histories

    monkeypatch.setattr(settle, "_histories", read_and_stop)
    account_id, job_id, items = await all_applied_but_not_ended(ctx, crew[0])
    late = asyncio.create_task(finish_if_last(crew[0], account_id, job_id))
    await asyncio.wait_for(stopped.wait(), 10)
    await ctx.pool.execute("UPDATE jobs SET lease_until = NULL, token = NULL")
    await finish_if_last(crew[1], account_id, job_id)
    await assert_settled(ctx, account_id, job_id, items)
    await change(ctx, account_id, 3, name="Name 3")
    go_on.set()
    await late
    assert (await row_of(ctx, account_id, 3)).fields["name"] == "Name 3"


async def _two_wait(ctx: Context) -> bool:
    return len(await waiting_backends(ctx)) == 2


async def assert_settled(ctx: Context, account_id: AccountId, job_id: JobId, items: list[Item]) -> None:
    names = {contact["phone"]: contact["name"] for contact in await stored(ctx, account_id)}
    assert names == {phone(n): f"Name {n + 20}" for n in range(20)}
    await assert_results(ctx, account_id, job_id, items, Upserts(), _model_of(items))


def _model_of(items: list[Item]) -> Upserts:
    model = Upserts()
    for item in items:
        model.apply(item)
    return model
