"""Unknown parameters are refused, so that a typing error does not go unnoticed."""

import pytest

from api.route import Route
from api.routes import ROUTES
from storage.context import Context
from tests.factories import contact
from tests.integration.api.inventory import PHONE_NUMBER_ID, fill
from tests.integration.api.service import Client
from tests.integration.api.tenant_calls import NAMED_IN_PATH

PRIVATE = [route for route in ROUTES if not route.public]


async def test_no_route_takes_an_unknown_parameter(ctx: Context, client: Client) -> None:
    await ctx.pool.execute("UPDATE accounts SET phone_number_id = $1", PHONE_NUMBER_ID)
    known = await fill(client)
    lenient = [route for route in PRIVATE if not await _refuses(client, route, known)]
    assert lenient == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"channels": []}, "channels"),
        ({"opt_in_to": [{"phone": "+14155550100", "name": "mine"}]}, "opt_in_to[0].name"),
    ],
)
async def test_an_unknown_parameter_in_a_nested_object_is_refused(
    client: Client, body: dict[str, object], param: str
) -> None:
    (list_id, *_) = (await fill(client))["list"]
    response = await client.call(
        "PUT",
        f"/v1/contacts/lists/{list_id}/contacts",
        json={"action": "add", "contacts": [contact(1)], **body},
    )
    assert (response.status, response.error["code"], response.error["param"]) == (
        422,
        "unknown_parameter",
        param,
    )


async def _refuses(client: Client, route: Route, known: dict[str, list[str]]) -> bool:
    path = route.path.replace("{operation}", "contacts.upsert")
    for name, kind in NAMED_IN_PATH.items():
        path = path.replace(f"{{{name}}}", known[kind][0])
    headers = {"Content-Type": "application/json"} if route.method in {"POST", "PUT", "PATCH"} else {}
    response = await client.call(
        route.method, f"{path}?nonsense=1", data=b"{}" if headers else None, headers=headers
    )
    problems = response.json.get("errors", [response.json.get("error", {})]) if response.body else []
    return "nonsense" in [problem.get("param") for problem in problems]
