"""A job whose chunks a test applies one by one, in any order, with changes over REST in between."""

from collections.abc import Sequence
from typing import Any

from schemas.ids import AccountId, JobId
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.entities import contacts
from storage.entities.contact_columns import ContactRow
from storage.pipeline.chunks import Claim
from storage.postgres.transactions import transaction
from tests.factories import contact, make_job, phone
from tests.workers import claim
from worker.apply import apply_chunk

LAST = 9_999  # the contact that only the last chunk names
IN_ORDER, OUT_OF_ORDER = (0, 1), (1, 0)  # orders to apply two chunks of one item


class StepwiseJob:
    """A job whose chunks are all claimed. An added last chunk, for another contact, keeps it unfinished."""

    def __init__(self, ctx: Context, account_id: AccountId, job_id: JobId, claims: Sequence[Claim]) -> None:
        self._ctx = ctx
        self.account_id = account_id
        self.job_id = job_id
        self._claims = {claimed.first_index: claimed for claimed in claims}

    async def apply(self, *first_indexes: int) -> None:
        """Apply the chunks that begin with these indexes."""
        for first_index in first_indexes:
            await apply_chunk(self._ctx, self._claims.pop(first_index))

    async def finish(self) -> None:
        """Apply the last chunk, so that the job ends."""
        (last,) = self._claims
        await self.apply(last)


async def start(
    ctx: Context,
    account_id: AccountId,
    items: Sequence[dict[str, Any]],
    *,
    chunk_items: int = 1,
    operation: Operation = Operation.CONTACTS_UPSERT,
    **params: Any,
) -> StepwiseJob:
    """Make a job of these items, which can be applied in any order, and claim its chunks."""
    assert len(items) % chunk_items == 0
    job_id = await make_job(
        ctx, account_id, [*items, contact(LAST)],
        operation=operation, params=JobParams(region="US", **params), chunk_items=chunk_items, parallel=64,
    )  # fmt: skip
    claims = [await claim(ctx) for _ in range(len(items) // chunk_items + 1)]
    return StepwiseJob(ctx, account_id, job_id, claims)


async def change(ctx: Context, account_id: AccountId, number: int, **fields: Any) -> None:
    """Change the contact with the phone of a number, as PATCH /v1/contacts/{id} does."""
    contact_id = await id_of(ctx, account_id, number)
    assert contact_id is not None
    async with transaction(ctx.pool) as conn:
        assert await contacts.change(conn, account_id, contact_id, fields)


async def delete(ctx: Context, account_id: AccountId, number: int) -> None:
    """Delete the contact with the phone of a number, as DELETE /v1/contacts/{id} does."""
    contact_id = await id_of(ctx, account_id, number)
    assert contact_id is not None
    async with transaction(ctx.pool) as conn:
        assert await contacts.delete(conn, account_id, contact_id)


async def create(ctx: Context, account_id: AccountId, number: int, **fields: Any) -> int:
    """Create the contact with the phone of a number, as POST /v1/contacts does; return its id."""
    async with transaction(ctx.pool) as conn:
        return (await contacts.insert(conn, account_id, {"phone": phone(number), **fields})).id


async def id_of(ctx: Context, account_id: AccountId, number: int) -> int | None:
    """Return the id of the contact with the phone of a number, or None."""
    sql = "SELECT id FROM contacts WHERE account_id = $1 AND phone = $2"
    found: int | None = await ctx.pool.fetchval(sql, account_id, phone(number))
    return found


async def row_of(ctx: Context, account_id: AccountId, number: int) -> ContactRow:
    """Return the stored contact with the phone of a number."""
    contact_id = await id_of(ctx, account_id, number)
    assert contact_id is not None
    row = await contacts.get(ctx.pool, account_id, contact_id)
    assert row is not None
    return row
