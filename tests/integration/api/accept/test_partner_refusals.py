"""Invalid requests in the partners' formats: all problems are reported at once, and nothing is stored."""

from typing import Any

import pytest

from storage.context import Context
from tests.factories import phone
from tests.integration.api.service import Client, Response

PREFERENCES = "/api/v1/contacts/bulk_update_communication_preferences"
PHONE_NUMBER_ID = "106540352242922"
UNKNOWN = "00000000000000000000000099"


@pytest.fixture
async def list_id(client: Client) -> str:
    """Create a contact list, and return its id."""
    response = await client.call("POST", "/v1/contact-lists", json={"name": "A list"})
    assert response.status == 201, response.body
    made: str = response.json["id"]
    return made


async def _nothing_stored(ctx: Context) -> None:
    for table in ("jobs", "parts", "contacts", "streams"):
        assert await ctx.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table


def _problems(response: Response) -> list[tuple[str, str | None]]:
    body = response.json
    problems = body.get("errors", [body["error"]])
    assert problems[0] == body["error"]
    return [(problem["code"], problem.get("param")) for problem in problems]


def _numbers(count: int) -> list[str]:
    return [phone(number) for number in range(count)]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (
            {"phone_numbers": _numbers(1001), "communication_preference": "mute_all"},
            [("too_many_items", "phone_numbers")],
        ),
        ({"phone_numbers": [], "communication_preference": "mute_all"}, [("empty", "phone_numbers")]),
        ({"communication_preference": "mute_all"}, [("missing_parameter", "phone_numbers")]),
        (
            {"phone_numbers": "+14155552671", "communication_preference": "mute_all"},
            [("invalid_parameter", "phone_numbers")],
        ),
        (
            {"phone_numbers": _numbers(1), "communication_preference": "mute_some"},
            [("invalid_parameter", "communication_preference")],
        ),
        (
            {"phone_numbers": _numbers(1001), "communication_preference": 7, "colour": "red"},
            [
                ("unknown_parameter", "colour"),
                ("too_many_items", "phone_numbers"),
                ("invalid_parameter", "communication_preference"),
            ],
        ),
        (
            {"phone_numbers": []},
            [("empty", "phone_numbers"), ("missing_parameter", "communication_preference")],
        ),
    ],
    ids=[
        "1001 numbers",
        "none",
        "no array",
        "a text",
        "unknown preference",
        "three problems",
        "two problems",
    ],
)
async def test_an_invalid_peach_request_is_refused(
    ctx: Context, client: Client, body: Any, problems: list[tuple[str, str]]
) -> None:
    response = await client.call("POST", PREFERENCES, json=body)
    assert (response.status, _problems(response)) == (422, problems)
    await _nothing_stored(ctx)


async def test_exactly_a_thousand_numbers_are_accepted(client: Client) -> None:
    body = {"phone_numbers": _numbers(1000), "communication_preference": "mute_all"}
    assert (await client.call("POST", PREFERENCES, json=body)).status == 202


async def test_all_problems_of_a_whippy_request_are_reported(
    ctx: Context, client: Client, list_id: str
) -> None:
    await client.call("POST", f"/v1/contact-lists/{list_id}/archive")
    body = {
        "action": "replace",
        "contacts": [{"phone": number} for number in _numbers(4001)],
        "opt_in_to": [{"id": "x"}, {"phone": "y"}],
        "opt_in_to_all_channels": "yes",
    }
    response = await client.call("PUT", f"/v1/contacts/lists/{list_id}/contacts?dry_run=true", json=body)
    assert response.status == 422
    assert sorted(_problems(response), key=str) == [
        ("invalid_parameter", "action"),
        ("invalid_parameter", "opt_in_to_all_channels"),
        ("list_not_active", "list_id"),
        ("too_many_items", "contacts"),
        ("unknown_channel", "opt_in_to[0].id"),
        ("unknown_channel", "opt_in_to[1].phone"),
        ("unknown_parameter", "dry_run"),
    ]
    await _nothing_stored(ctx)


@pytest.mark.parametrize("opt_in_to", [[], [{"id": "x"}] * 1001])
async def test_opt_in_to_has_1_to_1000_entries(
    ctx: Context, client: Client, list_id: str, opt_in_to: Any
) -> None:
    body = {"action": "add", "contacts": [{"phone": phone(1)}], "opt_in_to": opt_in_to}
    response = await client.call("PUT", f"/v1/contacts/lists/{list_id}/contacts", json=body)
    assert (response.status, _problems(response)) == (422, [("invalid_parameter", "opt_in_to")])
    await _nothing_stored(ctx)


async def test_every_unknown_channel_is_named(ctx: Context, client: Client, list_id: str) -> None:
    made = await client.call("POST", "/v1/channels", json={"name": "Main", "phone": phone(7)})
    named = [
        {"id": "a1b2c3d4-0000-4000-8000-000000000000"},
        {"phone": phone(7)},
        {"phone": phone(8)},
        {"id": made.json["id"]},
        {"id": "not a uuid"},
    ]
    body = {"action": "add", "contacts": [{"phone": phone(1)}], "opt_in_to": named}
    response = await client.call("PUT", f"/v1/contacts/lists/{list_id}/contacts", json=body)
    assert (response.status, _problems(response)) == (
        422,
        [
            ("unknown_channel", "opt_in_to[0].id"),
            ("unknown_channel", "opt_in_to[2].phone"),
            ("unknown_channel", "opt_in_to[4].id"),
        ],
    )
    await _nothing_stored(ctx)


@pytest.mark.parametrize("list_id", [f"lst_{UNKNOWN}", "99", "no-such-list", "lst_x"])
async def test_an_unknown_list_is_a_404_whatever_the_body(ctx: Context, client: Client, list_id: str) -> None:
    for body in ({"action": "add", "contacts": [{"phone": phone(1)}]}, {}):
        response = await client.call("PUT", f"/v1/contacts/lists/{list_id}/contacts", json=body)
        assert (response.status, response.error["code"]) == (404, "unknown_list")
    await _nothing_stored(ctx)


@pytest.mark.parametrize(
    ("body", "status", "problems"),
    [
        (
            {"contact_ids": ["1"], "label_id": "1", "operation": "stick"},
            400,
            [("invalid_parameter", "operation")],
        ),
        ({"contact_ids": ["1"] * 1001, "label_id": "1", "operation": "attach"}, None, None),
        (
            {"contact_ids": [], "operation": 1},
            400,
            [
                ("empty", "contact_ids"),
                ("missing_parameter", "label_id"),
                ("invalid_parameter", "operation"),
            ],
        ),
        (
            {"contact_ids": ["1"], "label_id": f"lbl_{UNKNOWN}", "operation": "attach"},
            404,
            [("unknown_label", None)],
        ),
        (
            {"contact_ids": ["1"], "label_id": "example", "operation": "attach"},
            404,
            [("unknown_label", None)],
        ),
    ],
    ids=["wrong operation", "1001 contacts", "three problems", "unknown label", "label that is no id"],
)
async def test_an_invalid_kirim_request_is_refused(
    ctx: Context, client: Client, body: Any, status: int | None, problems: Any
) -> None:
    await ctx.pool.execute("UPDATE accounts SET phone_number_id = $1", PHONE_NUMBER_ID)
    if status is None:  # the label exists: only the number of contacts is invalid
        made = await client.call("POST", "/v1/labels", json={"name": "VIP"})
        body["label_id"], status, problems = made.json["id"], 400, [("too_many_items", "contact_ids")]
    response = await client.call("POST", f"/v1/{PHONE_NUMBER_ID}/contacts/bulk_label", json=body)
    assert (response.status, _problems(response)) == (status, problems)
    assert response.error["type"] == ("not_found" if status == 404 else "invalid_request_error")
    await _nothing_stored(ctx)


async def test_another_phone_number_id_is_a_404(ctx: Context, client: Client) -> None:
    body = {"contact_ids": ["1"], "label_id": "1", "operation": "attach"}
    response = await client.call("POST", f"/v1/{PHONE_NUMBER_ID}/contacts/bulk_label", json=body)
    assert (response.status, response.error["code"]) == (404, "unknown_phone_number_id")
    await _nothing_stored(ctx)


@pytest.mark.parametrize(
    ("path", "body", "status", "problems"),
    [
        ("bulk", {"contacts": [{}] * 1001}, 422, [("too_many_items", "contacts")]),
        ("bulk", [], 422, [("empty", "contacts")]),
        ("bulk-delete", {"contactIds": ["1"] * 1001}, 422, [("too_many_items", "contactIds")]),
        ("bulk-delete", {"contact_ids": ["1"]}, 422, None),
        ("add-to-audience", {"contactIds": ["1"]}, 422, [("missing_parameter", "audienceId")]),
        (
            "add-to-audience",
            {"contactIds": ["1"], "audienceId": "aud_abc123"},
            404,
            [("unknown_audience", None)],
        ),
    ],
)
async def test_an_invalid_oliai_request_is_refused(
    ctx: Context, client: Client, path: str, body: Any, status: int, problems: Any
) -> None:
    response = await client.call("POST", f"/v1/contacts/{path}", json=body)
    assert response.status == status
    if problems is not None:
        assert _problems(response) == problems
    await _nothing_stored(ctx)


async def test_a_partners_route_takes_only_json(ctx: Context, client: Client) -> None:
    for content_type in ("text/csv", "application/x-ndjson"):
        response = await client.call("POST", PREFERENCES, data=b"x", headers={"Content-Type": content_type})
        assert (response.status, response.error["code"]) == (415, "unsupported_format")
    broken = await client.call(
        "POST", PREFERENCES, data=b'{"phone_numbers"', headers={"Content-Type": "application/json"}
    )
    assert (broken.status, broken.error["code"]) == (400, "invalid_json")
    await _nothing_stored(ctx)


async def test_contact_ids_of_a_wrong_type_are_a_400(ctx: Context, client: Client) -> None:
    await ctx.pool.execute("UPDATE accounts SET phone_number_id = $1", PHONE_NUMBER_ID)
    made = await client.call("POST", "/v1/labels", json={"name": "VIP"})
    body = {"contact_ids": ["1", None, True, 1.5], "label_id": made.json["id"], "operation": "attach"}
    response = await client.call("POST", f"/v1/{PHONE_NUMBER_ID}/contacts/bulk_label", json=body)
    assert response.status == 400
    assert [param for _, param in _problems(response)] == [f"contact_ids[{place}]" for place in (1, 2, 3)]
    await _nothing_stored(ctx)


async def test_an_invalid_idempotency_key_is_reported_with_the_other_problems(
    ctx: Context, client: Client
) -> None:
    await ctx.pool.execute("UPDATE accounts SET phone_number_id = $1", PHONE_NUMBER_ID)
    body = {"contact_ids": [], "label_id": "1"}
    path, headers = f"/v1/{PHONE_NUMBER_ID}/contacts/bulk_label", {"Idempotency-Key": "x" * 256}
    await client.call("POST", "/v1/labels", json={"name": "VIP"})
    response = await client.call("POST", path, json=body, headers=headers)
    assert (response.status, _problems(response)) == (
        400,
        [
            ("invalid_parameter", "Idempotency-Key"),
            ("empty", "contact_ids"),
            ("missing_parameter", "operation"),
        ],
    )
    await _nothing_stored(ctx)


async def test_all_problems_of_a_native_request_are_reported(
    ctx: Context, client: Client, list_id: str
) -> None:
    await client.call("POST", f"/v1/contact-lists/{list_id}/archive")
    query = f"list_id={list_id}&parallel=0&opt_in_to=nope&map.x=phone&colour=red"
    response = await client.call("POST", f"/v1/bulk/lists.add?{query}", json=[{"phone": phone(1)}])
    assert response.status == 422
    assert sorted(_problems(response), key=str) == [
        ("invalid_parameter", "map.x"),
        ("invalid_parameter", "parallel"),
        ("list_not_active", "list_id"),
        ("unknown_channel", "opt_in_to"),
        ("unknown_parameter", "colour"),
    ]
    await _nothing_stored(ctx)
