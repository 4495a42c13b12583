"""GET /v1/accounts: the account of the key."""

import aiohttp

from storage.context import Context
from storage.entities import accounts
from storage.entities.accounts import AccountChange
from tests.factories import phone
from tests.integration.api.resource_calls import make, problems
from tests.integration.api.service import Client, make_client

PATH = "/v1/accounts"


async def test_a_key_sees_only_its_own_account(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    change = AccountChange(
        region="ID", phone_number_id="106540352242922", request_limit=7, item_limit=0, window_seconds=50
    )
    await accounts.update(ctx.pool, client.account.name, change)
    await make_client(ctx, session)
    response = await client.get(PATH)
    assert response.status == 200
    own = {
        "id": f"org_{client.account.id}",
        "name": client.account.name,
        "region": "ID",
        "phone_number_id": "106540352242922",
        "limits": {"requests": 7, "items": 0, "window_seconds": 50},
    }
    assert response.json == {"data": [own], "next_cursor": None}


async def test_an_account_may_have_no_phone_number_id(client: Client) -> None:
    (account,) = (await client.get(f"{PATH}?limit=1")).json["data"]
    assert account["phone_number_id"] is None


async def test_the_id_of_an_account_is_on_its_contacts(client: Client) -> None:
    (account,) = (await client.get(PATH)).json["data"]
    contact = await make(client, "/v1/contacts", name="Ana", phoneNumber=phone(1))
    assert contact["organizationId"] == account["id"]


async def test_all_problems_of_a_query_are_reported(client: Client) -> None:
    assert problems(await client.get(f"{PATH}?limit=0&cursor=x")) == {
        "limit": "invalid_parameter",
        "cursor": "unknown_parameter",
    }
