"""A change over REST that was answered stays, also if a job that names the contact ends later."""

from typing import Any

import pytest

from schemas.ids import show_id
from schemas.operations import Operation
from storage.context import Context
from tests.factories import contact, make_channel, make_list
from tests.integration.api.contact_calls import patch
from tests.integration.api.service import Client
from tests.integration.worker.stepwise import IN_ORDER, OUT_OF_ORDER, StepwiseJob, id_of, start

ORDERS = pytest.mark.parametrize("order", [IN_ORDER, OUT_OF_ORDER])


async def applied(
    ctx: Context, client: Client, order: tuple[int, ...], **options: Any
) -> tuple[StepwiseJob, str]:
    """Apply two items of one contact in a job that has not ended. Return the job and the contact's id."""
    items = [contact(1, name="First", age=1), contact(1, name="Last", age=2)]
    job = await start(ctx, client.account.id, items, **options)
    await job.apply(*order)
    contact_id = await id_of(ctx, client.account.id, 1)
    assert contact_id is not None
    return job, show_id("ctc", contact_id)


@ORDERS
async def test_a_changed_field_stays_and_the_others_are_settled(
    ctx: Context, client: Client, order: tuple[int, ...]
) -> None:
    job, contact_id = await applied(ctx, client, order)
    assert (await patch(client, contact_id, name="Mine")).status == 200
    await job.finish()
    view = (await client.get(f"/v1/contacts/{contact_id}")).json
    assert (view["name"], view["age"]) == ("Mine", 2)


@ORDERS
async def test_a_deleted_contact_stays_deleted(ctx: Context, client: Client, order: tuple[int, ...]) -> None:
    job, contact_id = await applied(ctx, client, order)
    assert (await client.call("DELETE", f"/v1/contacts/{contact_id}")).status == 200
    await job.finish()
    assert (await client.get(f"/v1/contacts/{contact_id}")).status == 404
    assert await id_of(ctx, client.account.id, 1) is None


@ORDERS
async def test_an_opt_out_of_the_contact_itself_stays(
    ctx: Context, client: Client, order: tuple[int, ...]
) -> None:
    list_id, channel = await make_list(ctx, client.account.id), await make_channel(ctx, client.account.id)
    job, contact_id = await applied(
        ctx, client, order,
        operation=Operation.LISTS_ADD, list_id=list_id, channels=(channel,), override_opt_outs=True,
    )  # fmt: skip
    path = f"/v1/contacts/{contact_id}/opt-ins/{channel}"
    assert (await client.call("PUT", path, json={"opted_in": False, "by": "contact"})).status == 200
    await job.finish()
    (view,) = (await client.get(f"/v1/contacts/{contact_id}/opt-ins")).json["data"]
    assert (view["opted_in"], view["by"]) == (False, "contact")
