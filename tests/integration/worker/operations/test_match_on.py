"""match_on: whether phone or external id selects the contact of an item; required fields."""

import random
from typing import Any

import pytest

from schemas.ids import AccountId
from schemas.operations import Operation
from storage.context import Context
from storage.pipeline.results import ResultRow
from tests.factories import make_account, make_list, phone
from tests.integration.worker.job_runs import run, words_of
from tests.integration.worker.upserts import Item, stored
from tests.workers import versions

UPSERT, ADD = Operation.CONTACTS_UPSERT, Operation.LISTS_ADD


def has(number: int, external_id: str | None, **fields: Any) -> Item:
    return {"phone": phone(number), "external_id": external_id, **fields}


async def upsert(ctx: Context, account_id: AccountId, match_on: str, *items: Item) -> list[ResultRow]:
    return await run(ctx, account_id, UPSERT, items, match_on=match_on, parallel=1)


async def test_match_on_phone_updates_the_external_id(ctx: Context) -> None:
    account = await make_account(ctx)
    await upsert(ctx, account.id, "phone", has(1, "e1", name="Ana"), has(2, "e2"))
    before = set(await versions(ctx, account.id))
    items = [has(1, "e9"), has(2, None), has(3, "e2"), has(1, "e8")]
    assert words_of(await upsert(ctx, account.id, "phone", *items)) == [
        "merged",
        "updated",
        "created",
        "updated",
    ]
    assert await stored(ctx, account.id) == [has(1, "e8", name="Ana"), {"phone": phone(2)}, has(3, "e2")]
    assert before < set(await versions(ctx, account.id))


async def test_match_on_phone_rejects_the_external_id_of_another_contact(ctx: Context) -> None:
    account = await make_account(ctx)
    await upsert(ctx, account.id, "phone", has(1, "e1"), has(2, "e2"))
    items = [has(1, "e2"), has(3, "e3"), has(4, "e3"), {"phone": phone(2), "name": "Bo"}]
    results = await upsert(ctx, account.id, "phone", *items)
    conflict = ("failed", "conflict")
    assert words_of(results) == [conflict, "created", conflict, "updated"]
    assert await stored(ctx, account.id) == [has(1, "e1"), has(2, "e2", name="Bo"), has(3, "e3")]


async def test_match_on_external_id_updates_the_phone(ctx: Context) -> None:
    account = await make_account(ctx)
    first = await upsert(ctx, account.id, "external_id", has(1, "e1", name="Ana"), has(2, "e2"))
    assert words_of(first) == ["created"] * 2
    results = await upsert(ctx, account.id, "external_id", has(3, "e1"), has(1, "e2"), has(2, "e4"))
    assert words_of(results) == ["updated", "updated", "created"]
    assert [result.contact_id for result in results[:2]] == [result.contact_id for result in first]
    assert await stored(ctx, account.id) == [has(1, "e2"), has(2, "e4"), has(3, "e1", name="Ana")]


async def test_match_on_external_id_rejects_the_phone_of_another_contact(ctx: Context) -> None:
    account = await make_account(ctx)
    await upsert(ctx, account.id, "auto", has(1, "e1"), {"phone": phone(2)})
    items = [has(2, "e1"), has(1, "e5"), has(2, "e6"), has(3, "e7"), has(3, "e8"), has(1, "e1", age=4)]
    results = await upsert(ctx, account.id, "external_id", *items)
    taken = ("failed", "phone_taken")
    assert words_of(results) == [taken, taken, taken, "created", taken, "updated"]
    assert await stored(ctx, account.id) == [has(1, "e1", age=4), {"phone": phone(2)}, has(3, "e7")]


async def test_match_on_external_id_rejects_an_item_without_one(ctx: Context) -> None:
    account = await make_account(ctx)
    items = [{"phone": phone(1)}, has(2, None), has(3, "e3")]
    results = await upsert(ctx, account.id, "external_id", *items)
    assert words_of(results) == [("failed", "missing_field")] * 2 + ["created"]


@pytest.mark.parametrize("operation", [UPSERT, ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE])
async def test_an_item_without_a_required_field_fails(ctx: Context, operation: Operation) -> None:
    account = await make_account(ctx)
    items = [{"phone": phone(1), "name": "Ana"}, {"phone": phone(2)}, {"phone": phone(3), "name": None}]
    results = await run(
        ctx, account.id, operation, items, required=("name",), list_id=await make_list(ctx, account.id)
    )
    assert words_of(results) == ["created"] + [("failed", "missing_field")] * 2


async def test_list_operations_support_match_on(ctx: Context) -> None:
    account = await make_account(ctx)
    list_id = await make_list(ctx, account.id)
    options: dict[str, Any] = {"list_id": list_id, "parallel": 1}
    await run(ctx, account.id, ADD, [has(1, "e1")], match_on="auto", **options)
    by_phone = await run(ctx, account.id, ADD, [has(1, "e2")], match_on="phone", **options)
    by_id = await run(ctx, account.id, ADD, [has(5, "e2"), has(6, "e9")], match_on="external_id", **options)
    auto = await run(ctx, account.id, ADD, [has(5, "e7")], match_on="auto", **options)
    assert [words_of(results) for results in (by_phone, by_id, auto)] == [
        ["updated"],
        ["updated", "created"],
        [("failed", "external_id_mismatch")],
    ]
    assert await stored(ctx, account.id) == [has(5, "e2"), has(6, "e9")]


class ById:
    """A simple model of contacts matched by external id; `apply` returns False if the item fails."""

    def __init__(self) -> None:
        self.phones: dict[str, str] = {}

    def apply(self, item: Item) -> bool:
        external_id, number = item["external_id"], item["phone"]
        if any(phone == number and other != external_id for other, phone in self.phones.items()):
            return False
        self.phones[external_id] = number
        return True


class ByPhone:
    """A simple model of contacts matched by phone; `apply` returns False if the item fails."""

    def __init__(self) -> None:
        self.phones: dict[str, str | None] = {}

    def apply(self, item: Item) -> bool:
        external_id, number = item["external_id"], item["phone"]
        if external_id and any(
            other == external_id and phone != number for phone, other in self.phones.items()
        ):
            return False
        self.phones[number] = external_id
        return True


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("match_on", ["phone", "external_id"])
async def test_chunks_give_the_result_of_items_one_by_one(
    ctx: Context, crew: list[Context], match_on: str, seed: int
) -> None:
    rng = random.Random(seed)
    account = await make_account(ctx)
    model: ById | ByPhone = ByPhone() if match_on == "phone" else ById()
    for _ in range(4):
        ids = [f"e{n}" for n in range(7)] + ([None] if match_on == "phone" else [])
        items = [has(rng.randrange(8), rng.choice(ids)) for _ in range(40)]
        passed = [model.apply(item) for item in items]
        results = await run(
            ctx, account.id, UPSERT, items,
            match_on=match_on, parallel=1, chunk_items=rng.randint(3, 20), workers=crew,
        )  # fmt: skip
        assert [result.outcome.word != "failed" for result in results] == passed
        rows = await ctx.pool.fetch("SELECT phone, external_id FROM contacts")
        if match_on == "phone":
            assert {row["phone"]: row["external_id"] for row in rows} == model.phones
        else:
            assert {row["external_id"]: row["phone"] for row in rows} == model.phones
