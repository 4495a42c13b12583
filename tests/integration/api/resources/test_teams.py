"""Teams: one that is in use cannot be deleted."""

import asyncio

import pytest

from storage.context import Context
from tests.factories import phone
from tests.integration.api.resource_calls import delete, make, patch, refusal, until_waiting
from tests.integration.api.service import Client

PATH = "/v1/teams"
CONTACT = "INSERT INTO contacts (account_id, phone, team_id) SELECT account_id, $1, id FROM teams"
LABEL = "INSERT INTO labels (account_id, name, team_id) SELECT account_id, $1, id FROM teams"
HOLD = "SELECT id FROM teams FOR KEY SHARE"  # the lock that assigning a team takes


async def test_a_team_with_a_label_cannot_be_deleted(client: Client) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='Support'))['id']}"
    label = await make(client, "/v1/labels", name="VIP", team_id=path.rpartition("/")[2])
    assert refusal(await delete(client, path)) == (409, "team_in_use")
    assert (await client.get(path)).status == 200
    await patch(client, f"/v1/labels/{label['id']}", {"team_id": None})
    assert (await delete(client, path)).status == 204


async def test_a_team_with_a_contact_cannot_be_deleted(ctx: Context, client: Client) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='Support'))['id']}"
    await ctx.pool.execute(CONTACT, phone(1))
    assert refusal(await delete(client, path)) == (409, "team_in_use")
    await ctx.pool.execute("UPDATE contacts SET team_id = NULL")
    assert (await delete(client, path)).status == 204


@pytest.mark.parametrize(("statement", "argument"), [(CONTACT, phone(1)), (LABEL, "VIP")])
async def test_a_team_that_is_being_assigned_cannot_be_deleted(
    ctx: Context, client: Client, statement: str, argument: str
) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='Support'))['id']}"
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute(HOLD)
        await conn.execute(statement, argument)
        deleting = asyncio.create_task(delete(client, path))
        await until_waiting(ctx)
    assert refusal(await deleting) == (409, "team_in_use")
    assert (await client.get(path)).status == 200
