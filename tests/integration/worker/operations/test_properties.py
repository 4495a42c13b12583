"""Properties must be defined and have the defined type; a default channel must belong to the account."""

import json
from typing import Any
from uuid import uuid4

import pytest

from schemas.ids import AccountId
from schemas.operations import Operation
from storage.context import Context
from storage.pipeline import results as stored_results
from tests.factories import contact, make_account, make_channel, make_list, make_property, phone
from tests.integration.worker.job_runs import run, run_job, words_of

UPSERT = Operation.CONTACTS_UPSERT
TYPES: dict[str, Any] = {
    "text": "string", "score": "number", "vip": "boolean", "since": "date", "Tier": "enum"
}  # fmt: skip


async def defined(ctx: Context) -> AccountId:
    """Create an account with a property of each type."""
    account = await make_account(ctx)
    for name, type_ in TYPES.items():
        await make_property(ctx, account.id, name, type_, ["gold", "silver"] if type_ == "enum" else ())
    return account.id


async def stored(ctx: Context) -> dict[str, Any]:
    """Return the properties of all contacts, by phone."""
    rows = await ctx.pool.fetch("SELECT phone, properties::text FROM contacts")
    return {row["phone"]: json.loads(row["properties"]) for row in rows}


async def test_values_of_the_defined_types_are_stored_unchanged(ctx: Context) -> None:
    account_id = await defined(ctx)
    full = {"text": "x", "score": 1.5, "vip": False, "since": "2024-02-29", "Tier": "gold"}
    assert words_of(await run(ctx, account_id, UPSERT, [contact(1, properties=full)])) == ["created"]
    assert await stored(ctx) == {phone(1): full}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"other": 1}, "unknown_property"),
    ({"other": None}, "unknown_property"),
    ({"VIP": True}, "unknown_property"),
    ({"text": 1}, "property_type"),
    ({"score": "1"}, "property_type"),
    ({"score": True}, "property_type"),
    ({"vip": "true"}, "property_type"),
    ({"vip": 1}, "property_type"),
    ({"since": "2023-02-29"}, "property_type"),
    ({"since": "20240229"}, "property_type"),
    ({"since": 20240229}, "property_type"),
    ({"Tier": "bronze"}, "property_type"),
    ({"text": "x", "score": 1, "Tier": ""}, "property_type"),
]


async def test_invalid_values_fail_their_items_alone(ctx: Context) -> None:
    account_id = await defined(ctx)
    items = [contact(n, properties=value) for n, (value, _) in enumerate(BAD)]
    job_id, results = await run_job(ctx, account_id, UPSERT, [contact(99), *items, contact(98)])
    assert words_of(results) == ["created", *(("failed", code) for _, code in BAD), "created"]
    errors, _ = await stored_results.errors(ctx.pool, account_id, job_id, -1, 100)
    assert {error.field for error in errors} == {"properties"}
    assert [error.value for error in errors] == [list(value.values())[-1] for value, _ in BAD]
    assert all("properties." in error.message for error in errors)
    assert set(await stored(ctx)) == {phone(99), phone(98)}


async def test_a_bad_property_fails_its_item_and_not_others_of_its_contact(ctx: Context) -> None:
    account_id = await defined(ctx)
    items = [contact(1, properties={"score": 1}), contact(1, properties={"score": "x"}), contact(1, age=3)]
    assert words_of(await run(ctx, account_id, UPSERT, items)) == [
        "merged",
        ("failed", "property_type"),
        "created",
    ]
    assert await stored(ctx) == {phone(1): {"score": 1}}


async def test_null_removes_a_property(ctx: Context) -> None:
    account_id = await defined(ctx)
    await run(ctx, account_id, UPSERT, [contact(1, properties={"score": 1, "vip": True})])
    assert words_of(await run(ctx, account_id, UPSERT, [contact(1, properties={"score": None})])) == [
        "updated"
    ]
    assert await stored(ctx) == {phone(1): {"vip": True}}


async def test_cells_of_a_file_are_converted_to_the_defined_type(ctx: Context) -> None:
    account_id = await defined(ctx)
    names = [f"properties.{name.lower()}" for name in TYPES]
    rows = [
        f"{phone(1)},5,5,TRUE,2024-02-29,gold",
        f"{phone(2)},true,-2.50,False,1990-05-17,silver",
        f"{phone(3)},,1e3,,,",
        f"{phone(4)},x,many,,,",
        f"{phone(5)},x,,yes,,",
        f"{phone(6)},x,,,17.05.90,",
        f"{phone(7)},x,,,,GOLD",
        f"{phone(8)},,1e999,,,",
        f"{phone(9)},,0x10,,,",
    ]
    results = await run(ctx, account_id, UPSERT, [row.encode() for row in rows], columns=("phone", *names))
    assert words_of(results) == ["created"] * 3 + [("failed", "property_type")] * 6
    assert await stored(ctx) == {
        phone(1): {"text": "5", "score": 5, "vip": True, "since": "2024-02-29", "Tier": "gold"},
        phone(2): {"text": "true", "score": -2.5, "vip": False, "since": "1990-05-17", "Tier": "silver"},
        phone(3): {"score": 1000},
    }


async def test_a_cell_may_hold_json_and_chunks_of_a_file_are_settled(
    ctx: Context, crew: list[Context]
) -> None:
    account_id = await defined(ctx)
    rows = [f'{phone(n % 5)},"{{""vip"": true}}",{n}'.encode() for n in range(30)]
    columns = ("phone", "properties", "properties.score")
    results = await run(
        ctx, account_id, UPSERT, rows, columns=columns, chunk_items=4, parallel=8, workers=crew
    )
    assert words_of(results) == ["merged"] * 25 + ["created"] * 5
    assert await stored(ctx) == {phone(n): {"vip": True, "score": 25 + n} for n in range(5)}


@pytest.mark.parametrize(
    "operation", [UPSERT, Operation.LISTS_ADD, Operation.LISTS_REMOVE, Operation.LISTS_OVERWRITE]
)
async def test_a_default_channel_must_belong_to_the_account(ctx: Context, operation: Operation) -> None:
    account_id = await defined(ctx)
    other_account = await make_account(ctx)
    channel, foreign = await make_channel(ctx, account_id), await make_channel(ctx, other_account.id)
    list_id = await make_list(ctx, account_id)
    channels = [str(channel), str(foreign), str(uuid4()), None, str(channel)]
    items = [contact(n, default_channel_id=one) for n, one in enumerate(channels)]
    items[3]["properties"] = {"score": "x"}
    items[2]["properties"] = {"score": "x"}
    job_id, results = await run_job(ctx, account_id, operation, items, list_id=list_id)
    unknown, misfit = ("failed", "unknown_channel"), ("failed", "property_type")
    assert words_of(results) == ["created", unknown, misfit, misfit, "created"]
    errors, _ = await stored_results.errors(ctx.pool, account_id, job_id, -1, 100)
    assert (errors[0].field, errors[0].value) == ("default_channel_id", str(foreign))
    rows = await ctx.pool.fetch("SELECT default_channel_id FROM contacts")
    assert [row[0] for row in rows] == [channel] * 2


async def test_definitions_of_another_account_do_not_apply(ctx: Context) -> None:
    await defined(ctx)
    account = await make_account(ctx)
    results = await run(ctx, account.id, UPSERT, [contact(1, properties={"vip": True})])
    assert words_of(results) == [("failed", "unknown_property")]


async def test_an_item_without_these_fields_runs_no_query(ctx: Context) -> None:
    """The tables are locked, so a query would never return."""
    account_id = await defined(ctx)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE property_definitions, channels")
        items = [contact(1, metadata={"a": 1}), contact(2, properties=None), contact(3, properties={})]
        assert words_of(await run(ctx, account_id, UPSERT, items)) == ["created"] * 3
