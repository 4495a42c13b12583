"""Audiences: their count of contacts, and their deletion, which keeps the contacts."""

from storage.context import Context
from tests.factories import phone
from tests.integration.api.resource_calls import delete, make, patch
from tests.integration.api.service import Client

PATH = "/v1/audiences"
ADD = """
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
SELECT c.account_id, 'audience', a.id, c.id FROM contacts c JOIN audiences a USING (account_id)
"""


async def test_an_audience_counts_its_contacts_and_is_deleted_without_them(
    ctx: Context, client: Client
) -> None:
    one, other = [await make(client, PATH, name=name) for name in ("One", "Other")]
    for number in range(2):
        await ctx.pool.execute(
            "INSERT INTO contacts (account_id, phone) VALUES ($1, $2)", client.account.id, phone(number)
        )
    await ctx.pool.execute(ADD)
    assert (await client.get(f"{PATH}/{one['id']}")).json == one | {"contact_count": 2}
    assert (await patch(client, f"{PATH}/{one['id']}", {"name": "First"})).json["contact_count"] == 2
    assert (await delete(client, f"{PATH}/{one['id']}")).status == 204
    assert (await client.get(f"{PATH}/{other['id']}")).json == other | {"contact_count": 2}
    assert await ctx.pool.fetchval("SELECT count(*) FROM memberships") == 2
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 2
