"""Phones that a job has moved from contact to contact come back, also where chunks of the undo are others."""

from schemas.operations import Operation
from storage.context import Context
from tests.factories import make_contacts, phone
from tests.integration.api.service import Client
from tests.integration.api.undo.test_undo import ended, undo
from tests.integration.worker.images.turning_back import state_of

CONTACTS = 1_500  # neither the last chunk of the job nor that of the undo is full


async def test_phones_that_slipped_by_a_row_come_back(ctx: Context, client: Client) -> None:
    account_id = client.account.id
    await make_contacts(ctx, account_id, range(1, CONTACTS + 1))
    await ctx.pool.execute("UPDATE contacts SET external_id = id")
    before = await state_of(ctx, account_id)
    rows = sorted(before.values(), key=lambda row: row["phone"])
    slipped = [phone(0), *(row["phone"] for row in rows)]
    items = [
        {"external_id": row["external_id"], "phone": number}
        for row, number in zip(rows, slipped, strict=False)
    ]
    job = await ended(ctx, client, await client.submit_items(items, "?match_on=external_id"))
    assert (job["operation"], job["counts"]["updated"]) == (Operation.CONTACTS_UPSERT, CONTACTS)
    undone = await ended(ctx, client, await undo(client, job))
    assert (undone["counts"]["updated"], undone["total"]) == (CONTACTS, CONTACTS)
    assert await state_of(ctx, account_id) == before
