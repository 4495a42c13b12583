"""Test what an upsert does to a stored contact, and the outcome that it reports."""

import json
from typing import Any
from uuid import UUID

from schemas.states import Outcome
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline.results import ResultRow
from tests.factories import contact, make_account, make_channel, make_job, make_property, phone
from tests.workers import drain, results_of, versions

FULL: dict[str, Any] = {
    "name": "Ana",
    "email": "ana@example.com",
    "language": "pt-BR",
    "nickname": "A",
    "age": 44,
    "gender": "f",
    "timezone": "America/Sao_Paulo",
    "birth_date": "1981-05-17",
    "address": {"city": "São Paulo", "country": "BR"},
    "default_channel_id": "6f8b0b0e-5f0e-4b43-9d0c-2f6d9a3b7c11",
    "metadata": {"city": "São Paulo", "tier": 1, "tags": ["a", {"b": None}]},
    "properties": {"vip": True, "score": 0.5},
}


async def make_full_account(ctx: Context) -> Account:
    """Create an account with the properties and the channel that a full item refers to."""
    account = await make_account(ctx)
    await make_channel(ctx, account.id, UUID(FULL["default_channel_id"]))
    for name, type_ in (("vip", "boolean"), ("score", "number"), ("n", "number")):
        await make_property(ctx, account.id, name, type_)
    return account


async def apply(ctx: Context, account_id: Any, items: list[Any], **options: Any) -> list[ResultRow]:
    job_id = await make_job(ctx, account_id, items, **options)
    await drain(ctx)
    return await results_of(ctx, account_id, job_id)


async def stored(ctx: Context, account_id: Any, number: int) -> dict[str, Any]:
    """Return the stored fields of a contact, without null and empty ones."""
    text = await ctx.pool.fetchval(
        "SELECT to_jsonb(c)::text FROM contacts c WHERE account_id = $1 AND phone = $2",
        account_id,
        phone(number),
    )
    row = json.loads(text)
    kept = {name: value for name, value in row.items() if value not in (None, {})}
    return {name: value for name, value in kept.items() if name in FULL}


async def test_every_field_is_stored(ctx: Context) -> None:
    account = await make_full_account(ctx)
    await apply(ctx, account.id, [contact(1, **FULL)])
    assert await stored(ctx, account.id, 1) == FULL


async def test_created_updated_unchanged_and_merged_are_reported(ctx: Context) -> None:
    account = await make_account(ctx)
    await apply(ctx, account.id, [contact(1), contact(2)])
    results = await apply(ctx, account.id, [contact(1), contact(2, age=3), contact(3, age=4), contact(3)])
    assert [result.outcome for result in results] == [
        Outcome.UNCHANGED,
        Outcome.UPDATED,
        Outcome.MERGED,
        Outcome.CREATED,
    ]
    assert [result.merged_into for result in results] == [None, None, 3, None]
    ids = await ctx.pool.fetch("SELECT id FROM contacts ORDER BY phone")
    assert [result.contact_id for result in results] == [ids[n]["id"] for n in (0, 1, 2, 2)]


async def test_repeating_a_job_rewrites_no_row(ctx: Context) -> None:
    account = await make_full_account(ctx)
    items = [contact(n, **FULL) for n in range(300)]
    first = await apply(ctx, account.id, items)
    before = await versions(ctx, account.id)
    again = await apply(ctx, account.id, items)
    assert await versions(ctx, account.id) == before
    assert {result.outcome for result in again} == {Outcome.UNCHANGED}
    assert [result.contact_id for result in again] == [result.contact_id for result in first]


async def test_only_the_changed_rows_are_rewritten(ctx: Context) -> None:
    account = await make_full_account(ctx)
    await apply(ctx, account.id, [contact(n, **FULL) for n in range(100)])
    before = await versions(ctx, account.id)
    items = [{"phone": phone(n), **({"age": 1} if n % 10 == 0 else {"name": "Ana"})} for n in range(100)]
    results = await apply(ctx, account.id, items)
    after = await versions(ctx, account.id)
    rewritten = {contact_id for contact_id in before if before[contact_id] != after[contact_id]}
    assert rewritten == {result.contact_id for result in results if result.outcome is Outcome.UPDATED}
    assert len(rewritten) == 10


async def test_each_field_alone_makes_an_update(ctx: Context) -> None:
    account = await make_full_account(ctx)
    names = list(FULL)
    await apply(ctx, account.id, [contact(n) for n in range(len(names))])
    items = [{"phone": phone(n), name: FULL[name]} for n, name in enumerate(names)]
    assert [result.outcome for result in await apply(ctx, account.id, items)] == [Outcome.UPDATED] * len(
        names
    )
    assert [result.outcome for result in await apply(ctx, account.id, items)] == [Outcome.UNCHANGED] * len(
        names
    )


async def test_metadata_and_properties_are_merged_key_by_key(ctx: Context) -> None:
    account = await make_full_account(ctx)
    await apply(ctx, account.id, [contact(1, **FULL)])
    change = {
        "metadata": {"tier": 2, "new": {"deep": 1}, "tags": None},
        "properties": {"score": None, "n": 1},
    }
    (result,) = await apply(ctx, account.id, [{"phone": phone(1), **change}])
    assert result.outcome is Outcome.UPDATED
    now = await stored(ctx, account.id, 1)
    assert now["metadata"] == {"city": "São Paulo", "tier": 2, "new": {"deep": 1}}
    assert now["properties"] == {"vip": True, "n": 1}
    assert now["name"] == FULL["name"]


async def test_null_clears_a_field_and_absence_keeps_it(ctx: Context) -> None:
    account = await make_full_account(ctx)
    scalars = [name for name in FULL if name not in ("metadata", "properties")]
    await apply(ctx, account.id, [contact(n, **FULL) for n in range(len(scalars))])
    items = [{"phone": phone(n), name: None} for n, name in enumerate(scalars)]
    results = await apply(ctx, account.id, items)
    assert {result.outcome for result in results} == {Outcome.UPDATED}
    for n, name in enumerate(scalars):
        assert await stored(ctx, account.id, n) == {key: value for key, value in FULL.items() if key != name}


async def test_clearing_an_empty_field_changes_nothing(ctx: Context) -> None:
    account = await make_account(ctx)
    await apply(ctx, account.id, [contact(1)])
    before = await versions(ctx, account.id)
    item = {"phone": phone(1), "email": None, "external_id": None, "metadata": {"gone": None}}
    (result,) = await apply(ctx, account.id, [item])
    assert result.outcome is Outcome.UNCHANGED
    assert await versions(ctx, account.id) == before


async def test_a_field_cleared_and_set_again_in_one_chunk_is_set(ctx: Context) -> None:
    account = await make_account(ctx)
    await apply(ctx, account.id, [contact(1, metadata={"a": 1, "b": 1})])
    steps: list[dict[str, Any]] = [
        {"name": None, "metadata": {"a": None, "b": 2}},
        {"name": "Last", "metadata": {"a": 3}},
        {"email": "x@example.com"},
        {"email": None, "metadata": {"b": None}},
    ]
    await apply(ctx, account.id, [{"phone": phone(1), **step} for step in steps])
    assert await stored(ctx, account.id, 1) == {"name": "Last", "metadata": {"a": 3}}


async def test_an_empty_address_is_accepted(ctx: Context) -> None:
    account = await make_account(ctx)
    (result,) = await apply(ctx, account.id, [contact(1, address={})])
    assert result.outcome is Outcome.CREATED


async def test_numbers_written_in_many_ways_are_one_contact(ctx: Context) -> None:
    account = await make_account(ctx)
    ways = ["+14152000001", "+1 (415) 200-0001", "4152000001", "(415) 200 0001", "1-415-200-0001"]
    keys = ["phone", "phone_number", "phoneNumber", "phone", "phone"]
    results = await apply(ctx, account.id, [{key: way} for key, way in zip(keys, ways, strict=True)])
    assert [result.outcome for result in results] == [Outcome.MERGED] * 4 + [Outcome.CREATED]
