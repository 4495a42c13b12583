"""POST /v1/contacts."""

import json
from typing import Any

import aiohttp
import pytest
from pydantic.alias_generators import to_camel

from schemas.ids import read_id
from schemas.items.contacts import CONTACT_FIELDS, KEY
from schemas.settings import Settings
from schemas.wire.contacts import Contact
from storage.context import Context
from tests.contact_values import value_of
from tests.integration.api.contact_calls import create, list_contacts, make, post, problems_of
from tests.integration.api.service import Client, make_client, serve

NO_CHANNEL = "00000000-0000-4000-8000-000000000000"  # the id of no channel
GOOD: dict[str, Any] = {"name": "Priya Sharma", "phoneNumber": "+919876543210"}
REFERRING = ("team_id", "default_channel_id")  # fields that refer to another row of the account
WHOLE: dict[str, Any] = {
    **{
        to_camel(field.name): value_of(field)
        for field in CONTACT_FIELDS
        if field.name != KEY and field.name not in REFERRING
    },
    "name": "Priya Sharma",
    "phoneNumber": "+919876543210",
    "language": "hi-IN",
    "metadata": {"city": "Mumbai", "deep": {"a": [1, None]}},
    "email": "priya@example.com",
    "externalId": "crm-1",
    "nickname": "Pri",
    "age": 31,
    "gender": "female",
    "timezone": "Asia/Kolkata",
    "birthDate": "1994-05-17",
    "address": {"city": "Mumbai", "country": None},
    "properties": {},
    "optedOut": True,
    "communicationPreference": "mute_marketing",
}


async def test_the_partners_example_is_created(client: Client) -> None:
    body = GOOD | {"language": "hi-IN", "metadata": {"city": "Mumbai", "tier": "premium"}}
    response = await post(client, **body)
    assert response.status == 201
    assert response.headers["Location"] == f"/v1/contacts/{response.json['id']}"
    assert response.json | body == response.json
    assert (await client.get(response.headers["Location"])).json == response.json


async def test_every_field_is_stored_and_shown(client: Client) -> None:
    team = await make(client, "/v1/teams", name="Sales")
    channel = await make(client, "/v1/channels", name="SMS")
    body = WHOLE | {"teamId": team, "defaultChannelId": channel}
    contact = await create(client, **body)
    assert contact == contact | body
    assert (await client.get(f"/v1/contacts/{contact['id']}")).json == contact
    assert set(contact) - set(body) == {"id", "organizationId", "createdAt", "updatedAt"}
    assert set(contact) == {field.alias for field in Contact.model_fields.values()}


async def test_null_equals_a_missing_field(client: Client) -> None:
    nulls: dict[str, Any] = {name: None for name in WHOLE if name not in ("name", "phoneNumber", "optedOut")}
    contact = await create(client, **nulls, teamId=None, defaultChannelId=None)
    plain = await create(client, 2)
    mine = ("id", "name", "phoneNumber", "createdAt", "updatedAt")
    assert {k: v for k, v in contact.items() if k not in mine} == {
        k: v for k, v in plain.items() if k not in mine
    }


async def test_null_keys_of_json_fields_are_not_stored(client: Client) -> None:
    contact = await create(client, metadata={"a": None, "b": {"c": None}})
    assert contact["metadata"] == {"b": {"c": None}}


@pytest.mark.parametrize(
    ("region", "written", "stored"),
    [
        ("US", "+91 98765-43210", "+919876543210"),
        ("IN", "098765 43210", "+919876543210"),
        ("US", "(415) 555-2671", "+14155552671"),
        (None, "tel:+1-415-555-2671", "+14155552671"),
        ("GB", "٠٢٠ ٧٩٤٦ ٠٠١٨", "+442079460018"),
    ],
)
async def test_a_phone_may_be_written_in_any_notation(
    ctx: Context, session: aiohttp.ClientSession, region: str | None, written: str, stored: str
) -> None:
    client = await make_client(ctx, session, region=region)
    assert (await create(client, phoneNumber=written))["phoneNumber"] == stored


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("12", "phone_too_short"),
        ("+1415555267199999", "phone_too_long"),
        ("nobody", "phone_not_a_number"),
        ("", "phone_not_a_number"),
        ("+1415\u00005552671", "phone_not_a_number"),
        ("+999123456789", "phone_unknown_country_code"),
        ("+12125", "phone_too_short"),
        ("+11111111111", "phone_invalid_for_region"),
        ("9" * 5000, "phone_too_long"),
    ],
)
async def test_an_invalid_phone_gets_the_code_of_an_item_error(
    client: Client, written: str, code: str
) -> None:
    assert problems_of(await post(client, name="A", phoneNumber=written)) == {("phoneNumber", code)}


@pytest.mark.parametrize("region", ["US", None])
async def test_a_bare_number_needs_a_region(
    ctx: Context, session: aiohttp.ClientSession, region: str | None
) -> None:
    client = await make_client(ctx, session, region=region)
    response = await post(client, name="A", phoneNumber="415 555 2671")
    if region:
        assert response.status == 201
    else:
        assert problems_of(response) == {("phoneNumber", "phone_unknown_country_code")}


PROBLEMS: list[tuple[Any, set[tuple[str | None, str]]]] = [
    ({}, {("name", "missing_parameter"), ("phoneNumber", "missing_parameter")}),
    ([GOOD], {(None, "invalid_parameter")}),
    ("x", {(None, "invalid_parameter")}),
    (GOOD | {"name": None}, {("name", "invalid_parameter")}),
    (GOOD | {"name": ""}, {("name", "invalid_parameter")}),
    (GOOD | {"name": "x" * 256}, {("name", "invalid_parameter")}),
    (GOOD | {"name": 7}, {("name", "invalid_parameter")}),
    (GOOD | {"phoneNumber": 919876543210}, {("phoneNumber", "invalid_parameter")}),
    (GOOD | {"phoneNumber": None}, {("phoneNumber", "invalid_parameter")}),
    (GOOD | {"email": "x"}, {("email", "invalid_email")}),
    (GOOD | {"email": "x" * 250 + "@e.com"}, {("email", "invalid_parameter")}),
    (GOOD | {"externalId": ""}, {("externalId", "invalid_parameter")}),
    (GOOD | {"age": "31"}, {("age", "invalid_parameter")}),
    (GOOD | {"age": 31.0}, {("age", "invalid_parameter")}),
    (GOOD | {"age": True}, {("age", "invalid_parameter")}),
    (GOOD | {"age": 151}, {("age", "invalid_parameter")}),
    (GOOD | {"language": "!"}, {("language", "invalid_language")}),
    (GOOD | {"timezone": "Mars"}, {("timezone", "invalid_timezone")}),
    (GOOD | {"birthDate": "1990-02-30"}, {("birthDate", "invalid_birth_date")}),
    (GOOD | {"address": {"street": "x"}}, {("address.street", "unknown_parameter")}),
    (GOOD | {"address": "x"}, {("address", "invalid_parameter")}),
    (GOOD | {"metadata": []}, {("metadata", "invalid_parameter")}),
    (GOOD | {"metadata": {"a": "x" * 16384}}, {("metadata", "metadata_too_large")}),
    (GOOD | {"metadata": {"a": [{"b": "\0"}]}}, {("metadata", "invalid_character")}),
    (GOOD | {"metadata": {"\0": 1}}, {("metadata", "invalid_character")}),
    (GOOD | {"name": "a\0b"}, {("name", "invalid_character")}),
    (GOOD | {"address": {"city": "\0"}}, {("address", "invalid_character")}),
    (GOOD | {"optedOut": None}, {("optedOut", "invalid_parameter")}),
    (GOOD | {"optedOut": "yes"}, {("optedOut", "invalid_parameter")}),
    (GOOD | {"communicationPreference": "loud"}, {("communicationPreference", "invalid_parameter")}),
    (GOOD | {"teamId": "team_0000000000000000000000ZZZZ"}, {("teamId", "unknown_team")}),
    (GOOD | {"teamId": [1]}, {("teamId", "unknown_team")}),
    (GOOD | {"teamId": 2**70}, {("teamId", "unknown_team")}),
    (GOOD | {"defaultChannelId": NO_CHANNEL}, {("defaultChannelId", "unknown_channel")}),
    (GOOD | {"defaultChannelId": "x"}, {("defaultChannelId", "unknown_channel")}),
    (GOOD | {"id": "ctc_1"}, {("id", "unknown_parameter")}),
    (GOOD | {"phone_number": "+14155552671"}, {("phone_number", "unknown_parameter")}),
    (GOOD | {"\0": 1}, {("\0", "unknown_parameter")}),
    (
        {"phoneNumber": "12", "email": "x", "age": -1, "teamId": "x", "wrong": 1, "properties": {"p": 1}},
        {
            ("name", "missing_parameter"), ("phoneNumber", "phone_too_short"), ("email", "invalid_email"),
            ("age", "invalid_parameter"), ("teamId", "unknown_team"), ("wrong", "unknown_parameter"),
            ("properties.p", "unknown_property"),
        },
    ),
]  # fmt: skip


def _in_order(problems: set[tuple[str | None, str]]) -> list[tuple[str | None, str]]:
    """Sort problems for test ids: pytest-xdist compares the ids, and set order differs by process."""
    return sorted(problems, key=str)


@pytest.mark.parametrize(
    ("body", "problems"), PROBLEMS, ids=lambda value: json.dumps(value, default=_in_order)[:60]
)
async def test_all_problems_are_reported_at_once(client: Client, body: Any, problems: Any) -> None:
    response = await client.call("POST", "/v1/contacts", json=body)
    assert problems_of(response) == problems
    assert (await list_contacts(client))["total"] == 0


async def test_problems_of_query_and_body_are_reported_together(client: Client) -> None:
    response = await client.call("POST", "/v1/contacts?dry_run=true", json={"name": "A"})
    assert problems_of(response) == {("dry_run", "unknown_parameter"), ("phoneNumber", "missing_parameter")}
    response = await client.call("POST", "/v1/contacts?dry_run=true", json=GOOD)
    assert problems_of(response) == {("dry_run", "unknown_parameter")}
    assert (await list_contacts(client))["total"] == 0


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": "\\ud800", "phoneNumber": "+919876543210"}', "application/json", 400),
        (b'{"name": "\xff"}', "application/json", 400),
        (b'{"age": 1e999}', "application/json", 400),
        (b'{"age": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"[" * 9_000, "application/json", 400),
        (b"name,phoneNumber", "text/csv", 415),
        (b"", "application/json", 400),
    ],
)
async def test_a_body_that_is_not_json_is_refused(
    client: Client, body: bytes, content_type: str, status: int
) -> None:
    response = await client.call("POST", "/v1/contacts", data=body, headers={"Content-Type": content_type})
    assert response.status == status, response.body


async def test_a_property_must_be_defined_and_of_its_type(client: Client) -> None:
    for name, type_ in (("tier", "string"), ("visits", "number"), ("vip", "boolean"), ("since", "date")):
        await client.call("POST", "/v1/properties", json={"name": name, "type": type_})
    await client.call("POST", "/v1/properties", json={"name": "size", "type": "enum", "options": ["S", "M"]})
    good = {"tier": "gold", "visits": 1.5, "vip": False, "since": "2026-05-17", "size": "M"}
    contact = await create(client, properties=good | {"vip": None})
    assert contact["properties"] == {name: value for name, value in good.items() if name != "vip"}
    bad = {"tier": 1, "visits": "1", "vip": "true", "since": "2026-02-30", "size": "L", "other": 1, "x\0": 1}
    response = await post(client, **GOOD, properties=bad)
    assert problems_of(response) == {
        ("properties.tier", "property_type"),
        ("properties.visits", "property_type"),
        ("properties.vip", "property_type"),
        ("properties.since", "property_type"),
        ("properties.size", "property_type"),
        ("properties.other", "unknown_property"),
        ("properties.x\0", "unknown_property"),
    }


async def test_properties_have_a_maximum_size(client: Client) -> None:
    await client.call("POST", "/v1/properties", json={"name": "text", "type": "string"})
    response = await post(client, **GOOD, properties={"text": "x" * 16384})
    assert problems_of(response) == {("properties", "properties_too_large")}
    response = await post(client, **GOOD, properties={"text": "a\0b"})
    assert problems_of(response) == {("properties", "invalid_character")}


async def test_properties_team_and_channel_of_another_account_are_unknown(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    stranger = await make_client(ctx, session)
    team = await make(stranger, "/v1/teams", name="Sales")
    channel = await make(stranger, "/v1/channels", name="SMS")
    await stranger.call("POST", "/v1/properties", json={"name": "tier", "type": "string"})
    response = await post(client, **GOOD, teamId=team, defaultChannelId=channel, properties={"tier": "x"})
    assert problems_of(response) == {
        ("teamId", "unknown_team"),
        ("defaultChannelId", "unknown_channel"),
        ("properties.tier", "unknown_property"),
    }


async def test_a_team_can_be_given_by_id_or_by_number(client: Client) -> None:
    team = await make(client, "/v1/teams", name="Sales")
    number = read_id("team", team)
    for index, name in enumerate([team, number, str(number)]):
        assert (await create(client, index, teamId=name))["teamId"] == team


async def test_the_preferences_come_from_the_settings(ctx: Context, settings: Settings) -> None:
    own = settings.model_copy(update={"communication_preferences": ("loud", "quiet")})
    async with (
        serve(own) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        assert (await create(client))["communicationPreference"] == "loud"
        contact = await create(client, 2, communicationPreference="quiet")
        assert contact["communicationPreference"] == "quiet"
        response = await post(client, **GOOD, communicationPreference="mute_all")
        assert "loud, quiet" in response.error["message"]
