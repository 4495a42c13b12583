"""PATCH /v1/contacts/{id}."""

import asyncio
from typing import Any

import pytest

from schemas.ids import read_id
from storage.context import Context
from tests.factories import phone
from tests.integration.api.contact_calls import create, make, patch, post, problems_of
from tests.integration.api.contacts.test_contacts_create import WHOLE
from tests.integration.api.service import Client
from tests.waiting import until
from tests.workers import barred, waiting_backends


async def change(client: Client, contact: Any, **fields: Any) -> Any:
    response = await patch(client, contact["id"], **fields)
    assert response.status == 200, response.body
    assert (await client.get(f"/v1/contacts/{contact['id']}")).json == response.json
    return response.json


def without(contact: Any, *names: str) -> Any:
    return {name: value for name, value in contact.items() if name not in names}


async def test_the_partners_example_changes_only_the_named_fields(client: Client) -> None:
    contact = await create(client, **WHOLE)
    after = await change(client, contact, language="en-IN", metadata={"city": "Delhi", "tier": "standard"})
    assert after["metadata"] == {"city": "Delhi", "tier": "standard", "deep": {"a": [1, None]}}
    assert after["language"] == "en-IN"
    assert after["updatedAt"] > contact["updatedAt"]
    assert without(after, "metadata", "language", "updatedAt") == without(
        contact, "metadata", "language", "updatedAt"
    )


@pytest.mark.parametrize("name", sorted(WHOLE))
async def test_each_field_can_be_set_alone(client: Client, name: str) -> None:
    await client.call("POST", "/v1/properties", json={"name": "tier", "type": "string"})
    contact = await create(client)
    value = {"tier": "gold"} if name == "properties" else WHOLE[name]
    after = await change(client, contact, **{name: value})
    assert after[name] == value
    assert without(after, name, "updatedAt") == without(contact, name, "updatedAt")


@pytest.mark.parametrize(
    "name", sorted(set(WHOLE) - {"name", "phoneNumber", "optedOut", "metadata", "properties"})
)
async def test_null_clears_a_field(client: Client, name: str) -> None:
    contact = await create(client, **WHOLE)
    after = await change(client, contact, **{name: None})
    assert after[name] == ("allow_all" if name == "communicationPreference" else None)
    assert without(after, name, "updatedAt") == without(contact, name, "updatedAt")


async def test_team_and_channel_are_set_and_cleared(client: Client) -> None:
    team = await make(client, "/v1/teams", name="Sales")
    channel = await make(client, "/v1/channels", name="SMS")
    contact = await create(client)
    after = await change(client, contact, teamId=read_id("team", team), defaultChannelId=channel.upper())
    assert (after["teamId"], after["defaultChannelId"]) == (team, channel)
    after = await change(client, contact, teamId=None, defaultChannelId=None)
    assert (after["teamId"], after["defaultChannelId"]) == (None, None)


async def test_null_removes_keys_of_json_fields(client: Client) -> None:
    for name in ("tier", "visits"):
        await client.call("POST", "/v1/properties", json={"name": name, "type": "string"})
    contact = await create(client, metadata={"a": 1, "b": 2}, properties={"tier": "x", "visits": "y"})
    after = await change(
        client,
        contact,
        metadata={"a": None, "c": {"d": None}, "z": None},
        properties={"tier": None, "visits": "w"},
    )
    assert (after["metadata"], after["properties"]) == ({"b": 2, "c": {"d": None}}, {"visits": "w"})


async def test_null_for_a_json_field_changes_nothing(client: Client) -> None:
    contact = await create(client, metadata={"a": 1})
    assert await change(client, contact, metadata=None, properties=None) == contact


@pytest.mark.parametrize(
    "fields", [{}, {"name": "Name 1", "metadata": {"a": 1, "z": None}}, {"age": None, "optedOut": False}]
)
async def test_a_change_without_effect_writes_nothing(client: Client, fields: dict[str, Any]) -> None:
    contact = await create(client, metadata={"a": 1})
    assert await change(client, contact, **fields) == contact


@pytest.mark.parametrize("name", ["id", "organizationId", "createdAt", "updatedAt", "phone"])
async def test_a_read_only_field_is_refused(client: Client, name: str) -> None:
    contact = await create(client)
    response = await patch(client, contact["id"], **{name: contact.get(name, "x")})
    assert problems_of(response) == {(name, "unknown_parameter")}


async def test_all_problems_are_reported_and_nothing_is_changed(client: Client) -> None:
    contact = await create(client)
    response = await patch(
        client,
        contact["id"],
        name=None,
        phoneNumber=None,
        optedOut=None,
        age=200,
        nickname="New",
        teamId=9999,
    )
    assert problems_of(response) == {
        ("name", "invalid_parameter"),
        ("phoneNumber", "invalid_parameter"),
        ("optedOut", "invalid_parameter"),
        ("age", "invalid_parameter"),
        ("teamId", "unknown_team"),
    }
    assert (await client.get(f"/v1/contacts/{contact['id']}")).json == contact


async def test_a_phone_is_normalised(client: Client) -> None:
    contact = await create(client)
    assert (await change(client, contact, phoneNumber="(415) 555-2671"))["phoneNumber"] == "+14155552671"
    response = await patch(client, contact["id"], phoneNumber="12")
    assert problems_of(response) == {("phoneNumber", "phone_too_short")}


async def test_a_phone_or_external_id_of_another_contact_is_a_conflict(client: Client) -> None:
    await create(client, 1, externalId="crm-1")
    contact = await create(client, 2, externalId="crm-2")
    response = await patch(client, contact["id"], phoneNumber=phone(1))
    assert (response.status, response.error["code"], response.error["param"]) == (
        409,
        "contact_exists",
        "phoneNumber",
    )
    response = await patch(client, contact["id"], externalId="crm-1")
    assert (response.status, response.error["code"]) == (409, "external_id_exists")
    assert (await client.get(f"/v1/contacts/{contact['id']}")).json == contact
    assert await change(client, contact, phoneNumber=phone(2), externalId="crm-2") == contact


async def test_json_fields_do_not_grow_without_bound(client: Client) -> None:
    await client.call("POST", "/v1/properties", json={"name": "a", "type": "string"})
    contact = await create(client)
    for number in range(4):
        await change(client, contact, metadata={f"k{number}": "x" * 16_000})
    response = await patch(client, contact["id"], metadata={"k4": "x" * 16_000}, name="New")
    assert problems_of(response) == {("metadata", "metadata_too_large")}
    assert (await client.get(f"/v1/contacts/{contact['id']}")).json["name"] == "Name 1"
    response = await patch(client, contact["id"], metadata={"k0": None, "k4": "x" * 16_000})
    assert response.status == 200


async def test_properties_that_grow_too_large_are_refused(ctx: Context, client: Client) -> None:
    await client.call("POST", "/v1/properties", json={"name": "a", "type": "string"})
    contact = await create(client)
    await ctx.pool.execute(
        """UPDATE contacts SET properties = jsonb_build_object('old', repeat('x', 60000))
           WHERE account_id = $1""",
        client.account.id,
    )
    response = await patch(client, contact["id"], properties={"a": "x" * 16_000})
    assert problems_of(response) == {("properties", "properties_too_large")}


async def test_concurrent_changes_of_different_fields_are_all_kept(client: Client) -> None:
    contact = await create(client)
    fields: list[dict[str, Any]] = [{"metadata": {f"k{n}": n}} for n in range(10)]
    fields += [{"nickname": "N"}, {"age": 5}, {"email": "a@example.com"}, {"optedOut": True}]
    responses = await asyncio.gather(*(patch(client, contact["id"], **change) for change in fields))
    assert {response.status for response in responses} == {200}
    after = (await client.get(f"/v1/contacts/{contact['id']}")).json
    assert after["metadata"] == {f"k{n}": n for n in range(10)}
    assert (after["nickname"], after["age"], after["email"], after["optedOut"]) == (
        "N",
        5,
        "a@example.com",
        True,
    )


async def test_a_change_that_waited_keeps_the_concurrent_change(ctx: Context, client: Client) -> None:
    contact = await create(client, metadata={"a": 1})
    rival = """UPDATE contacts SET nickname = 'Rival', metadata = metadata || '{"b": 2}', age = 7"""
    async with barred(ctx, rival):
        waiting = asyncio.create_task(patch(client, contact["id"], metadata={"c": 3}, gender="f"))
        await until(lambda: waiting_backends(ctx))
    after = (await waiting).json
    assert (after["nickname"], after["age"], after["gender"]) == ("Rival", 7, "f")
    assert after["metadata"] == {"a": 1, "b": 2, "c": 3}


async def test_of_concurrent_changes_to_one_phone_one_succeeds(client: Client) -> None:
    contacts = [await create(client, number) for number in range(6)]
    responses = await asyncio.gather(
        *(patch(client, contact["id"], phoneNumber="+14155552671") for contact in contacts)
    )
    assert sorted(response.status for response in responses) == [200] + [409] * 5


async def test_concurrent_exchanges_of_phones_are_no_server_error(client: Client) -> None:
    first, second = await create(client, 1), await create(client, 2)
    for _ in range(10):
        responses = await asyncio.gather(
            patch(client, first["id"], phoneNumber=phone(2), externalId="b"),
            patch(client, second["id"], phoneNumber=phone(1), externalId="b"),
            post(client, name="Third", phoneNumber=phone(1), externalId="b"),
        )
        assert {response.status for response in responses} <= {200, 409}


async def test_a_team_that_is_being_deleted_cannot_be_assigned(ctx: Context, client: Client) -> None:
    team = await make(client, "/v1/teams", name="Sales")
    contact = await create(client)
    async with barred(ctx, f"DELETE FROM teams WHERE id = {read_id('team', team)}"):
        waiting = asyncio.create_task(patch(client, contact["id"], teamId=team))
        await until(lambda: waiting_backends(ctx))
    assert problems_of(await waiting) == {("teamId", "unknown_team")}


async def test_a_channel_that_is_being_deleted_cannot_be_the_default(ctx: Context, client: Client) -> None:
    channel = await make(client, "/v1/channels", name="SMS")
    async with barred(ctx, "DELETE FROM channels"):
        waiting = asyncio.create_task(post(client, name="A", phoneNumber=phone(1), defaultChannelId=channel))
        await until(lambda: waiting_backends(ctx))
    assert problems_of(await waiting) == {("defaultChannelId", "unknown_channel")}
