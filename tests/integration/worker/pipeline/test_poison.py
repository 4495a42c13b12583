"""A chunk that kills its workers is halved until the item that causes it is alone."""

from collections.abc import Sequence

import pytest

from storage.context import Context
from storage.postgres.pool import Conn
from tests.factories import contact, make_account, make_job
from tests.workers import claim, counts_of, drain, expire_leases, job_of, results_of, unfinished
from worker.operations.base import Applied, Indexed, JobFacts
from worker.operations.contacts_upsert import ContactsUpsert
from worker.operations.registry import operation_of
from worker.reconcile import reconcile
from worker.turn import take_turn


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `apply` raise an unexpected error for items with the name Poison."""

    class Poisonous(ContactsUpsert):
        async def apply(self, conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Applied:
            if any(item.get("name") == "Poison" for _, item in items):
                raise RuntimeError("poison")
            return await super().apply(conn, job, items)

    for name in ("apply", "apply_jobs"):
        monkeypatch.setattr(operation_of("contacts.upsert"), name, getattr(Poisonous(), name), raising=False)


async def turns_until_ended(ctx: Context) -> None:
    """Take turns until all jobs have ended."""
    for _ in range(10):
        await take_turn(ctx)
    assert not await unfinished(ctx)


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize("at", [0, 313, 999])
async def test_an_item_that_cannot_be_processed_fails_and_the_rest_is_applied(ctx: Context, at: int) -> None:
    account = await make_account(ctx)
    items = [contact(n) for n in range(1000)]
    items[at]["name"] = "Poison"
    job_id = await make_job(ctx, account.id, items)
    await turns_until_ended(ctx)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 999, "failed": 1}
    results = await results_of(ctx, account.id, job_id)
    assert [(result.index, result.code) for result in results if result.code] == [(at, "processing_failed")]
    assert len(results) == 1000


@pytest.mark.usefixtures("poison")
async def test_several_items_that_cannot_be_processed_fail(ctx: Context) -> None:
    account = await make_account(ctx)
    bad = {3, 4, 17, 39}
    items = [contact(n, **({"name": "Poison"} if n in bad else {})) for n in range(40)]
    job_id = await make_job(ctx, account.id, items, chunk_items=20)
    await turns_until_ended(ctx)
    results = await results_of(ctx, account.id, job_id)
    assert {result.index for result in results if result.code == "processing_failed"} == bad
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 36, "failed": 4}


async def test_a_chunk_that_killed_three_workers_is_halved(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(n) for n in range(11)])
    for _ in range(3):
        assert (await claim(ctx)).items == 11
        await expire_leases(ctx)
        await reconcile(ctx)
    half = await claim(ctx)
    assert (half.items, half.skip) == (5, 0)
    rest = await claim(ctx)
    assert (rest.first_index, rest.items, rest.skip) == (5, 6, 5)
    await expire_leases(ctx)
    await reconcile(ctx)
    await drain(ctx)
    assert counts_of(await job_of(ctx, account.id, job_id)) == {"created": 11}
    results = await results_of(ctx, account.id, job_id)
    assert [result.index for result in results] == list(range(11))


async def test_a_single_item_that_killed_three_workers_fails(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [contact(1)])
    for _ in range(3):
        await claim(ctx)
        await expire_leases(ctx)
        await reconcile(ctx)
    await drain(ctx)
    (result,) = await results_of(ctx, account.id, job_id)
    assert (result.outcome.word, result.code) == ("failed", "processing_failed")
