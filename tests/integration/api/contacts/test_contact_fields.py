"""Each declared field of a contact is set, shown and cleared by the endpoints of single contacts."""

from typing import Any

import pytest

from schemas.ids import show_id
from schemas.items.contact_field import ContactField
from schemas.items.contacts import CONTACT_FIELDS
from schemas.wire.contacts import Contact
from storage.context import Context
from tests.contact_values import make_value
from tests.factories import make_team
from tests.integration.api.contact_calls import create, patch
from tests.integration.api.service import Client

each_field = pytest.mark.parametrize("field", CONTACT_FIELDS, ids=lambda field: field.name)


def shown_as(field: ContactField) -> str:
    """Return the name of a field in a response."""
    return Contact.model_fields[field.name].alias or field.name


async def wire_value(ctx: Context, client: Client, field: ContactField) -> Any:
    """Return a valid value of the field for a request of this account."""
    if field.name == "team_id":
        return show_id("team", await make_team(ctx, client.account.id))
    return await make_value(ctx, client.account.id, field)


@each_field
async def test_post_sets_a_field(ctx: Context, client: Client, field: ContactField) -> None:
    name, value = shown_as(field), await wire_value(ctx, client, field)
    made = await create(client, **{name: value})
    assert made[name] == value
    assert (await client.get(f"/v1/contacts/{made['id']}")).json == made


@each_field
async def test_patch_sets_a_field_and_null_clears_it(
    ctx: Context, client: Client, field: ContactField
) -> None:
    name, value = shown_as(field), await wire_value(ctx, client, field)
    before = await create(client)
    changed = (await patch(client, before["id"], **{name: value})).json
    assert changed == {**before, name: value, "updatedAt": changed["updatedAt"]}
    assert (await patch(client, before["id"], **{name: value})).json == changed
    if name in {"name", "phoneNumber", "optedOut"}:  # cannot be null
        return
    clearing = dict.fromkeys(value) if field.by_key else None
    cleared = (await patch(client, before["id"], **{name: clearing})).json
    assert cleared == {**before, "updatedAt": cleared["updatedAt"]}
