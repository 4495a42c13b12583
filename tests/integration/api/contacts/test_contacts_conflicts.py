"""POST /v1/contacts with a phone or an external id that is in use."""

import asyncio

import aiohttp

from storage.context import Context
from tests.factories import phone
from tests.integration.api.contact_calls import create, list_contacts, post
from tests.integration.api.service import Client, make_client


async def test_a_phone_in_use_is_a_conflict(client: Client) -> None:
    first = await create(client, phoneNumber="+14155552671")
    response = await post(client, name="Other", phoneNumber="(415) 555-2671")
    assert (response.status, response.error["code"], response.error["param"]) == (
        409,
        "contact_exists",
        "phoneNumber",
    )
    assert (await list_contacts(client))["data"] == [first]


async def test_an_external_id_in_use_is_a_conflict(client: Client) -> None:
    await create(client, 1, externalId="crm-1")
    response = await post(client, name="Other", phoneNumber=phone(2), externalId="crm-1")
    assert (response.status, response.error["code"], response.error["param"]) == (
        409, "external_id_exists", "externalId",
    )  # fmt: skip
    assert (await list_contacts(client))["total"] == 1


async def test_two_accounts_may_have_the_same_contact(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    stranger = await make_client(ctx, session)
    first = await create(client, 1, externalId="crm-1")
    second = await create(stranger, 1, externalId="crm-1")
    assert first["id"] != second["id"]
    assert first["organizationId"] != second["organizationId"]


async def test_of_concurrent_creations_of_one_phone_one_succeeds(client: Client) -> None:
    responses = await asyncio.gather(*(post(client, name=f"N{n}", phoneNumber=phone(1)) for n in range(8)))
    assert sorted(response.status for response in responses) == [201] + [409] * 7
    assert (await list_contacts(client))["total"] == 1
