"""Upsert each declared field of a contact alone."""

import json
from typing import Any

import pytest

from schemas.items.contact_field import ContactField
from schemas.items.contacts import ITEM_FIELDS, KEY
from schemas.operations import Operation
from storage.context import Context
from tests.contact_values import make_value
from tests.factories import make_account, phone
from tests.integration.worker.job_runs import run, words_of

UPSERT = Operation.CONTACTS_UPSERT
FIELDS = [field for field in ITEM_FIELDS if field.name != KEY]
each_field = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)


async def stored(ctx: Context, number: int, field: ContactField) -> Any:
    """Return the stored value of a field of a contact, as JSON."""
    text = await ctx.pool.fetchval(
        "SELECT to_jsonb(c) -> $2 FROM contacts c WHERE phone = $1", phone(number), field.name
    )
    return json.loads(text)


@each_field
async def test_a_field_alone_makes_a_contact_updated_and_null_clears_it(
    ctx: Context, field: ContactField
) -> None:
    account_id = (await make_account(ctx)).id
    value = await make_value(ctx, account_id, field)
    empty: Any = {} if field.by_key else None
    await run(ctx, account_id, UPSERT, [{"phone": phone(1)}])
    assert await stored(ctx, 1, field) == empty

    item = {"phone": phone(1), field.name: value}
    assert words_of(await run(ctx, account_id, UPSERT, [item])) == ["updated"]
    assert await stored(ctx, 1, field) == value
    assert words_of(await run(ctx, account_id, UPSERT, [item])) == ["unchanged"]

    clearing = {"phone": phone(1), field.name: dict.fromkeys(value) if field.by_key else None}
    assert words_of(await run(ctx, account_id, UPSERT, [clearing])) == ["updated"]
    assert await stored(ctx, 1, field) == empty
    assert words_of(await run(ctx, account_id, UPSERT, [clearing])) == ["unchanged"]


@each_field
async def test_a_new_contact_has_the_field(ctx: Context, field: ContactField) -> None:
    account_id = (await make_account(ctx)).id
    value = await make_value(ctx, account_id, field)
    item = {"phone": phone(1), field.spellings[-1]: value}
    assert words_of(await run(ctx, account_id, UPSERT, [item])) == ["created"]
    assert await stored(ctx, 1, field) == value


@each_field
async def test_an_item_without_the_field_keeps_it(ctx: Context, field: ContactField) -> None:
    account_id = (await make_account(ctx)).id
    value = await make_value(ctx, account_id, field)
    other = "name" if field.name != "name" else "nickname"
    await run(ctx, account_id, UPSERT, [{"phone": phone(1), field.name: value}])
    assert words_of(await run(ctx, account_id, UPSERT, [{"phone": phone(1), other: "y"}])) == ["updated"]
    assert await stored(ctx, 1, field) == value
