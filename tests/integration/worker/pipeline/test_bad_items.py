"""A bad item fails alone: the other items of its chunk are applied, and the worker continues."""

import json
from typing import Any

import pytest

from schemas.states import Outcome
from storage.context import Context
from storage.entities.accounts import Account
from storage.pipeline import results
from tests.factories import contact, make_account, make_job, make_property, phone
from tests.workers import counts_of, drain, job_of, results_of, versions

BAD_PHONE = phone(9_999)


def line(**fields: Any) -> bytes:
    """Return an item as a line of NDJSON; `json` writes NaN and Infinity unquoted."""
    return json.dumps({"phone": BAD_PHONE, **fields}).encode()


BAD = {
    "NUL in a name": (line(name="a\0b"), "invalid_character"),
    "NUL in metadata": (line(metadata={"k": "a\0b"}), "invalid_character"),
    "NUL in a key of metadata": (line(metadata={"a\0b": 1}), "invalid_character"),
    "NUL in a key to remove": (line(metadata={"a\0b": None}), "invalid_character"),
    "NUL in an external id": (line(external_id="a\0b"), "invalid_character"),
    "NUL in an address": (line(address={"city": "a\0b"}), "invalid_character"),
    "half a surrogate pair in a name": (line(name="a\ud800b"), "invalid_json"),
    "half a surrogate pair in metadata": (line(metadata={"k": "\udc00"}), "invalid_json"),
    "NaN in metadata": (line(metadata={"k": float("nan")}), "invalid_json"),
    "Infinity deep in metadata": (line(metadata={"k": [{"d": float("-inf")}]}), "invalid_json"),
    "NaN in properties": (line(properties={"k": float("nan")}), "invalid_json"),
    "a number over all bounds": (line(metadata={"k": 0}).replace(b": 0}", b": 1e999}"), "invalid_json"),
    "metadata of over 16 KiB": (line(metadata={"k": "x" * 17_000}), "metadata_too_large"),
    "properties of over 16 KiB": (line(properties={"k": "x" * 17_000}), "properties_too_large"),
    "a phone that is too short": (line(phone="+1415"), "phone_too_short"),
    "no phone": (b'{"name": "Ana"}', "missing_field"),
    "no object": (b"[1]", "not_an_object"),
    "no JSON": (b'{"phone": ', "invalid_json"),
    "no UTF-8": (b'{"phone": "\xff"}', "invalid_encoding"),
}


async def make_bad_account(ctx: Context) -> Account:
    """Create an account with the property that the bad items set."""
    account = await make_account(ctx)
    await make_property(ctx, account.id, "k", "number")
    return account


@pytest.mark.parametrize("what", BAD)
async def test_one_bad_item_in_the_middle_of_a_chunk_fails_alone(ctx: Context, what: str) -> None:
    bad, code = BAD[what]
    account = await make_bad_account(ctx)
    items: list[Any] = [contact(n) for n in range(61)]
    items[30] = bad
    job_id = await make_job(ctx, account.id, items)
    await drain(ctx)
    job = await job_of(ctx, account.id, job_id)
    assert job.state == "completed_with_errors"
    assert counts_of(job) == {"created": 60, "failed": 1}
    (error,), _ = await results.errors(ctx.pool, account.id, job_id, -1, 10)
    assert (error.index, error.code) == (30, code)
    assert error.item is not None
    assert (await ctx.pool.fetchval("SELECT sum(deaths) FROM chunks")) == 0


async def test_all_kinds_of_bad_items_in_one_full_chunk_fail_alone(ctx: Context) -> None:
    account = await make_bad_account(ctx)
    items: list[Any] = [contact(n) for n in range(1000)]
    codes = {}
    for k, (bad, code) in enumerate(BAD.values()):
        items[k * 50 + 7] = bad
        codes[k * 50 + 7] = code
    job_id = await make_job(ctx, account.id, items)
    await drain(ctx)
    item_results = await results_of(ctx, account.id, job_id)
    assert {result.index: result.code for result in item_results if result.code} == codes
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"created": 1000 - len(BAD), "failed": len(BAD)}
    stored = {row["phone"] for row in await ctx.pool.fetch("SELECT phone FROM contacts")}
    assert stored == {phone(n) for n in range(1000) if n not in codes}


async def test_a_job_of_bad_items_ends_with_every_item_failed(ctx: Context) -> None:
    account = await make_bad_account(ctx)
    items = [line(name="a\0b"), line(name="c\0d"), *(bad for bad, _ in BAD.values())]
    job_id = await make_job(ctx, account.id, items, chunk_items=5)
    await drain(ctx)
    job = await job_of(ctx, account.id, job_id)
    assert job.state == "completed_with_errors"
    assert counts_of(job) == {"failed": len(items)}
    assert await versions(ctx, account.id) == {}


async def test_an_item_that_makes_stored_metadata_too_large_fails_alone(ctx: Context) -> None:
    account = await make_account(ctx)
    items: list[Any] = [contact(n) for n in range(50)]
    grow = [{"phone": BAD_PHONE, "metadata": {f"k{n}": "x" * 15_000}} for n in range(5)]
    for n, item in enumerate(grow):
        items.insert(n * 10 + 5, item)
    job_id = await make_job(ctx, account.id, items)
    await drain(ctx)
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"created": 51, "merged": 3, "failed": 1}
    (error,), _ = await results.errors(ctx.pool, account.id, job_id, -1, 10)
    assert (error.index, error.field, error.code) == (45, "metadata", "metadata_too_large")
    keys = await ctx.pool.fetchval("SELECT array_agg(k) FROM contacts, jsonb_object_keys(metadata) k")
    assert sorted(keys) == ["k0", "k1", "k2", "k3"]
    item_results = await results_of(ctx, account.id, job_id)
    assert [item_results[n].outcome for n in (5, 15, 25, 35)] == [Outcome.MERGED] * 3 + [Outcome.CREATED]


async def test_chunks_that_set_the_same_contacts_side_by_side_cause_no_conflict(
    ctx: Context, crew: list[Context]
) -> None:
    account = await make_account(ctx)
    items = [contact(n, external_id=f"e{n % 20}", name=f"Name {n % 20}") for n in range(20)] * 3
    job_id = await make_job(ctx, account.id, items, chunk_items=7, parallel=8)
    await drain(*crew)
    job = await job_of(ctx, account.id, job_id)
    assert counts_of(job) == {"created": 20, "merged": 40}
    rows = await ctx.pool.fetch("SELECT phone, external_id FROM contacts ORDER BY phone")
    assert [tuple(row) for row in rows] == [(phone(n), f"e{n}") for n in range(20)]


async def test_a_bad_item_does_not_affect_good_items_of_its_contact(ctx: Context) -> None:
    account = await make_account(ctx)
    good = {"phone": BAD_PHONE, "name": "Good"}
    job_id = await make_job(
        ctx, account.id, [good, line(name="a\0b"), contact(1), {"phone": BAD_PHONE, "age": 7}]
    )
    await drain(ctx)
    item_results = await results_of(ctx, account.id, job_id)
    assert [result.outcome.word for result in item_results] == ["merged", "failed", "created", "created"]
    assert item_results[0].merged_into == 3
