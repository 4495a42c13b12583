"""Properties: their names, types and options."""

import asyncio
from typing import Any

import pytest

from schemas.ids import AccountId
from storage.context import Context
from storage.entities import properties
from tests.factories import phone
from tests.integration.api.resource_calls import (
    delete,
    make,
    names,
    patch,
    post,
    problems,
    refusal,
    until_waiting,
)
from tests.integration.api.service import Client

PATH = "/v1/properties"


@pytest.mark.parametrize("type_", ["string", "number", "boolean", "date"])
async def test_a_property_has_a_type(client: Client, type_: str) -> None:
    made = await make(client, PATH, name=" tier ", type=type_)
    assert made == {"name": "tier", "type": type_, "options": None, "created_at": made["created_at"]}
    assert (await make(client, PATH, name="other", type=type_, options=None))["options"] is None


async def test_an_enum_has_options(ctx: Context, client: Client) -> None:
    made = await make(client, PATH, name="tier", type="enum", options=[" gold ", "Gold", "名"])
    assert made["options"] == ["gold", "Gold", "名"]
    longest = [f"{number:0255}" for number in range(100)]
    assert (await make(client, PATH, name="other", type="enum", options=longest))["options"] == longest
    rows = await properties.definitions(ctx.pool, client.account.id)
    assert [(row.name, row.type, list(row.options)) for row in rows] == [
        ("other", "enum", longest),
        ("tier", "enum", ["gold", "Gold", "名"]),
    ]
    assert await properties.definitions(ctx.pool, AccountId(client.account.id + 1)) == []


async def test_options_are_replaced(client: Client) -> None:
    made = await make(client, PATH, name="tier", type="enum", options=["gold", "silver"])
    response = await patch(client, f"{PATH}/tier", {"options": [" bronze", "gold"]})
    assert (response.status, response.json) == (200, made | {"options": ["bronze", "gold"]})


async def test_invalid_options_are_refused(client: Client) -> None:
    made = await make(client, PATH, name="tier", type="enum", options=["gold"])
    long, many = "x" * 256, [str(number) for number in range(101)]
    wrong: list[tuple[Any, set[str]]] = [
        ([], {"options"}),
        (many, {"options"}),
        (["a", " a "], {"options"}),
        ("a", {"options"}),
        ({"a": 1}, {"options"}),
        (5, {"options"}),
        (["a", "", 5, None, "\0", long], {f"options[{place}]" for place in range(1, 6)}),
    ]
    for options, places in wrong:
        expected = dict.fromkeys(places, "invalid_parameter")
        assert problems(await patch(client, f"{PATH}/tier", {"options": options})) == expected
        response = await post(client, PATH, {"name": "other", "type": "enum", "options": options})
        assert problems(response) == expected
    assert problems(await patch(client, f"{PATH}/tier", {"options": None})) == {
        "options": "invalid_parameter"
    }
    assert (await client.get(PATH)).json["data"] == [made]


async def test_an_enum_needs_options_and_nothing_else_has_any(client: Client) -> None:
    for body in ({"name": "a", "type": "enum"}, {"name": "a", "type": "enum", "options": None}):
        assert problems(await post(client, PATH, body)) == {"options": "missing_parameter"}
    for type_ in ("string", "number", "boolean", "date"):
        response = await post(client, PATH, {"name": "a", "type": type_, "options": ["a"]})
        assert problems(response) == {"options": "invalid_parameter"}
        await make(client, PATH, name=type_, type=type_)
        response = await patch(client, f"{PATH}/{type_}", {"options": ["a"]})
        assert problems(response) == {"options": "invalid_parameter"}


async def test_only_an_enum_can_get_options(ctx: Context, client: Client) -> None:
    """The UPDATE checks the type again: a property can be replaced after the handler has read it."""
    made = await make(client, PATH, name="tier", type="string")
    assert await properties.change(ctx.pool, client.account.id, "tier", options=["a"]) is None
    assert (await client.get(f"{PATH}/tier")).json == made


async def test_all_problems_are_reported_at_once(client: Client) -> None:
    response = await post(client, f"{PATH}?x=1", {"name": "1", "type": "enum", "y": 1})
    assert problems(response) == {
        "x": "unknown_parameter",
        "name": "invalid_parameter",
        "options": "missing_parameter",
        "y": "unknown_parameter",
    }
    response = await post(client, PATH, {"name": 1, "type": "text", "options": []})
    assert problems(response) == dict.fromkeys(("name", "type", "options"), "invalid_parameter")


async def test_a_name_has_letters_digits_and_underscores(client: Client) -> None:
    for name in ("a", "A", "a_1", "x" * 64):
        await make(client, PATH, name=name, type="string")
        assert (await client.get(f"{PATH}/{name}")).json["name"] == name
    for name in ("", " ", "1a", "_a", "a-b", "a b", "é", "aé", "x" * 65, "a\0", "a\nb", "\u0661", "ａ"):  # noqa: RUF001
        response = await post(client, PATH, {"name": name, "type": "string"})
        assert problems(response) == {"name": "invalid_parameter"}


async def test_properties_are_ordered_by_name(client: Client) -> None:
    for name in ("b", "a_1", "B", "a", "aB"):
        await make(client, PATH, name=name, type="string")
    assert await names(client, PATH) == ["B", "a", "aB", "a_1", "b"]
    assert await names(client, f"{PATH}?cursor=aB") == ["a_1", "b"]


async def test_name_and_type_cannot_be_changed(client: Client) -> None:
    made = await make(client, PATH, name="tier", type="enum", options=["a"])
    response = await patch(client, f"{PATH}/tier", {"name": "other", "type": "string", "options": ["b"]})
    assert problems(response) == {"name": "unknown_parameter", "type": "unknown_parameter"}
    assert (await client.get(f"{PATH}/tier")).json == made


async def test_values_of_contacts_stay_when_the_definition_is_deleted(ctx: Context, client: Client) -> None:
    await make(client, PATH, name="tier", type="enum", options=["a"])
    await ctx.pool.execute(
        "INSERT INTO contacts (account_id, phone, properties) VALUES ($1, $2, $3)",
        client.account.id,
        phone(1),
        '{"tier": "a"}',
    )
    await patch(client, f"{PATH}/tier", {"options": ["b"]})
    assert (await delete(client, f"{PATH}/tier")).status == 204
    assert await ctx.pool.fetchval("SELECT properties->>'tier' FROM contacts") == "a"
    assert await properties.definitions(ctx.pool, client.account.id) == []


async def test_a_property_that_is_being_deleted_is_unknown(ctx: Context, client: Client) -> None:
    await make(client, PATH, name="tier", type="enum", options=["a"])
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("DELETE FROM property_definitions")
        changing = asyncio.create_task(patch(client, f"{PATH}/tier", {"options": ["b"]}))
        await until_waiting(ctx)
    assert refusal(await changing) == (404, "unknown_property")
