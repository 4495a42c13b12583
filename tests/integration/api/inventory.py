"""An account with rows of every kind, for tests that call all routes."""

from typing import Any

from tests.factories import contact, phone
from tests.integration.api.service import UPSERT, Client

PHONE_NUMBER_ID = "106540352242922"


async def fill(client: Client) -> dict[str, list[Any]]:
    """Create rows of every kind, and return their ids by kind."""
    response = await client.submit_items([contact(99), {"phone": "12"}])
    webhooks = await _make(client, "/v1/webhooks", [{"url": "https://webhook.invalid/"} for _ in range(2)])
    return {
        "list": await _make(client, "/v1/contact-lists", [{"name": f"list {n}"} for n in range(5)]),
        "label": await _make(client, "/v1/labels", [{"name": f"label {n}"} for n in range(20)]),
        "audience": await _make(client, "/v1/audiences", [{"name": f"audience {n}"} for n in range(20)]),
        "team": await _make(client, "/v1/teams", [{"name": f"team {n}"} for n in range(20)]),
        "channel": await _make(client, "/v1/channels", [{"name": f"channel {n}"} for n in range(20)]),
        "contact": await _make(
            client, "/v1/contacts", [{"name": "Ana", "phoneNumber": phone(n)} for n in range(30)]
        ),
        "property": await _make(
            client, "/v1/properties", [{"name": f"p{n}", "type": "enum", "options": ["a"]} for n in range(20)]
        ),
        "job": [response.json["id"]],
        "upload": await _uploads(client),
        "erasure": await _erasures(client),
        "webhook": webhooks,
        "key": await _make(client, "/v1/keys", [{"name": f"key {n}"} for n in range(3)]),
        "delivery": [
            (await client.call("POST", f"/v1/webhooks/{webhook}/test")).json["id"] for webhook in webhooks
        ],
        "phone_number_id": [PHONE_NUMBER_ID],
        "phone": [phone(n) for n in range(20)],
        "prefer": ["wait=10", "wait=1", "respond-async", "handling=strict"],
        "region": ["IN", "us"],
        "preference": ["mute_all", "allow_all"],
    }


async def _erasures(client: Client) -> list[str]:
    bodies = [{"name": "Erased", "phoneNumber": phone(200 + n)} for n in range(2)]
    made = await _make(client, "/v1/contacts", bodies)
    return [(await client.call("DELETE", f"/v1/contacts/{id_}/data")).json["id"] for id_ in made]


async def _uploads(client: Client) -> list[str]:
    headers = {"Upload-Complete": "?0", "Content-Type": "text/csv"}
    made = [await client.call("POST", UPSERT, headers=headers) for _ in range(20)]
    return [response.json["id"] for response in made]


async def _make(client: Client, path: str, bodies: list[dict[str, Any]]) -> list[Any]:
    responses = [await client.call("POST", path, json=body) for body in bodies]
    assert {response.status for response in responses} == {201}
    return [response.json.get("id") or response.json["name"] for response in responses]
