"""Requests to the endpoints of single contacts, and the rows that they refer to."""

from typing import Any

from schemas.ids import Prefix, read_id
from storage.context import Context
from tests.factories import phone
from tests.integration.api.service import Client, Response

PREFIXES: dict[str, tuple[str, Prefix]] = {
    "lst": ("list", "lst"),
    "lbl": ("label", "lbl"),
    "aud": ("audience", "aud"),
}
UNKNOWN = "ctc_0000000000000000000000ZZZZ"


async def post(client: Client, **fields: Any) -> Response:
    """Send POST /v1/contacts."""
    return await client.call("POST", "/v1/contacts", json=fields)


async def create(client: Client, number: int = 1, /, **fields: Any) -> Any:
    """Create a contact with its own phone, and return it."""
    response = await post(client, **({"name": f"Name {number}", "phoneNumber": phone(number)} | fields))
    assert response.status == 201, response.body
    return response.json


async def patch(client: Client, contact_id: str, **fields: Any) -> Response:
    """Send PATCH /v1/contacts/{id}."""
    return await client.call("PATCH", f"/v1/contacts/{contact_id}", json=fields)


async def list_contacts(client: Client, **query: Any) -> Any:
    """Return the page that GET /v1/contacts sends."""
    response = await client.call("GET", "/v1/contacts", params=query)
    assert response.status == 200, response.body
    return response.json


def problems_of(response: Response) -> set[tuple[str | None, str]]:
    """Return the param and the code of every problem of a 422."""
    assert response.status == 422, response.body
    body = response.json
    return {(problem.get("param"), problem["code"]) for problem in body.get("errors", [body["error"]])}


async def make(client: Client, path: str, **fields: Any) -> str:
    """Create a list, label, audience, team or channel with POST, and return its id."""
    response = await client.call("POST", path, json=fields)
    assert response.status == 201, response.body
    id_: str = response.json["id"]
    return id_


async def add_members(ctx: Context, client: Client, owner: str, *contacts: str) -> None:
    """Make contacts members of a list, a label or an audience."""
    kind, prefix = PREFIXES[owner.partition("_")[0]]
    ids = [read_id("ctc", contact) for contact in contacts]
    await ctx.pool.execute(
        """INSERT INTO memberships (account_id, kind, owner_id, contact_id)
           SELECT $1, $2, $3, unnest($4::bigint[])""",
        client.account.id,
        kind,
        read_id(prefix, owner),
        ids,
    )
