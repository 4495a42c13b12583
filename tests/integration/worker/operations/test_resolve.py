"""External ids: contacts that change their phone or get an id, and items that conflict."""

import random
from typing import Any

import pytest

from schemas.ids import AccountId
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline.results import ResultRow
from tests.factories import make_account, make_job, phone
from tests.integration.worker.upserts import Item, Upserts, stored
from tests.model.contact import ModelContact
from tests.workers import counts_of, drain, job_of, results_of, versions


def item_of(rng: random.Random) -> Item:
    """Return a random item with one of a few phones and ids, so that most items share their contacts."""
    item: Item = {"phone": phone(rng.randrange(8))}
    match rng.randrange(10):
        case 0 | 1 | 2 | 3 | 4 | 5:
            item["external_id"] = f"e{rng.randrange(7)}"
        case 6:
            item["external_id"] = None
    if rng.random() < 0.6:
        item["name"] = rng.choice(["Ana", "Bo", None])
    if rng.random() < 0.4:
        item["metadata"] = {rng.choice("ab"): rng.choice([1, 2, None])}
    return item


@pytest.mark.parametrize("seed", range(12))
async def test_chunks_with_external_ids_give_the_result_of_items_one_by_one(
    ctx: Context, crew: list[Context], seed: int
) -> None:
    rng = random.Random(seed)
    account = await make_account(ctx)
    model = Upserts()
    contacts: dict[int, ModelContact] = {}  # contact id -> contact of the model, across all jobs
    for _ in range(4):
        items = [item_of(rng) for _ in range(40)]
        expected = [model.apply(item) for item in items]
        job_id = await make_job(ctx, account.id, items, parallel=1, chunk_items=rng.randint(3, 20))
        await drain(*crew)
        assert await stored(ctx, account.id) == model.plain()
        results = await results_of(ctx, account.id, job_id)
        assert_results(results, expected, contacts)
        counts = counts_of(await job_of(ctx, account.id, job_id))
        assert sum(counts.values()) == 40
        assert counts.get("failed", 0) == sum(isinstance(outcome, str) for outcome in expected)


def assert_results(
    results: list[ResultRow], expected: list[ModelContact | str], contacts: dict[int, ModelContact]
) -> None:
    """Assert that each item fails with the expected code or has the id of the expected contact."""
    for result, outcome in zip(results, expected, strict=True):
        if isinstance(outcome, str):
            assert (result.outcome, result.code) == (Outcome.FAILED, outcome)
        else:
            assert result.contact_id is not None
            assert contacts.setdefault(result.contact_id, outcome) is outcome


async def run(ctx: Context, account_id: AccountId, *items: Any) -> list[ResultRow]:
    job_id = await make_job(ctx, account_id, items, parallel=1)
    await drain(ctx)
    return await results_of(ctx, account_id, job_id)


def has(number: int, external_id: str | None, **fields: Any) -> Item:
    return {"phone": phone(number), "external_id": external_id, **fields}


async def test_a_contact_that_changes_its_phone_keeps_other_fields(ctx: Context) -> None:
    account = await make_account(ctx)
    (first,) = await run(ctx, account.id, has(1, "e1", name="Ana", metadata={"a": 1}))
    (moved,) = await run(ctx, account.id, has(2, "e1"))
    assert (moved.outcome, moved.contact_id) == (Outcome.UPDATED, first.contact_id)
    assert await stored(ctx, account.id) == [{**has(2, "e1"), "name": "Ana", "metadata": {"a": 1}}]


async def test_two_contacts_exchange_their_phones_through_a_third_number(ctx: Context) -> None:
    account = await make_account(ctx)
    first = await run(ctx, account.id, has(1, "e1"), has(2, "e2"))
    await run(ctx, account.id, has(3, "e1"), has(1, "e2"), has(2, "e1"))
    assert await stored(ctx, account.id) == [has(1, "e2"), has(2, "e1")]
    assert set(await versions(ctx, account.id)) == {result.contact_id for result in first}


async def test_a_phone_that_a_contact_gave_up_belongs_to_a_new_contact(ctx: Context) -> None:
    account = await make_account(ctx)
    results = await run(ctx, account.id, has(1, "e1"), has(2, "e1"), has(1, "e9"))
    assert len({result.contact_id for result in results}) == 2
    assert await stored(ctx, account.id) == [has(1, "e9"), has(2, "e1")]


async def test_an_id_may_move_to_another_contact_within_a_chunk(ctx: Context) -> None:
    account = await make_account(ctx)
    await run(ctx, account.id, has(9, "e1"), {"phone": phone(1)})
    results = await run(ctx, account.id, has(9, None), has(1, "e1"), has(9, "e9"))
    assert Outcome.FAILED not in {result.outcome for result in results}
    assert await stored(ctx, account.id) == [has(1, "e1"), has(9, "e9")]


async def test_a_taken_phone_and_a_mismatched_id_fail_alone(ctx: Context) -> None:
    account = await make_account(ctx)
    await run(ctx, account.id, has(1, "e1"), has(2, "e2"), {"phone": phone(3)})
    before = await stored(ctx, account.id)
    results = await run(ctx, account.id, has(1, "e2"), has(1, "e5"), has(3, "e3", name="Cy"), has(3, "e4"))
    assert [result.code for result in results] == [
        "phone_taken",
        "external_id_mismatch",
        None,
        "external_id_mismatch",
    ]
    assert await stored(ctx, account.id) == [*before[:2], has(3, "e3", name="Cy")]


async def test_without_an_id_a_contact_is_found_by_phone_and_keeps_its_id(ctx: Context) -> None:
    account = await make_account(ctx)
    await run(ctx, account.id, has(1, "e1"))
    await run(ctx, account.id, {"phone": phone(1), "name": "Ana"})
    assert await stored(ctx, account.id) == [has(1, "e1", name="Ana")]


async def test_repeating_items_with_ids_rewrites_no_row(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [has(n, f"e{n}", name="Ana") for n in range(50)]
    await run(ctx, account.id, *items)
    before = {contact_id: row[1] for contact_id, row in (await versions(ctx, account.id)).items()}
    results = await run(ctx, account.id, *items)
    assert {result.outcome for result in results} == {Outcome.UNCHANGED}
    assert {contact_id: row[1] for contact_id, row in (await versions(ctx, account.id)).items()} == before
