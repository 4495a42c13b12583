"""What a result body needs to know of an ended job: its item errors, and the contacts it is about."""

from schemas.ids import AccountId, JobId
from schemas.item_errors import ItemError
from schemas.states import Outcome
from schemas.wire.partners import Reason
from storage.entities import contacts
from storage.entities.contact_columns import ContactRow
from storage.pipeline import results
from storage.pipeline.jobs import JobRow
from storage.postgres.pool import Pool

SUCCEEDED = ("created", "updated", "unchanged", "merged", "skipped")
PAGE = 500  # item errors read at once


async def errors_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[ItemError]:
    """All item errors of a job of a bounded request, by index."""
    found: list[ItemError] = []
    more = True
    while more:
        after = found[-1].index if found else -1
        page, more = await results.errors(pool, account_id, job_id, after, PAGE)
        found += page
    return found


async def reasons_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[Reason]:
    """The same as the third and the fourth document tell them."""
    return [
        Reason(index=error.index, reason=error.message, code=error.code, field=error.field)
        for error in await errors_of(pool, account_id, job_id)
    ]


async def contacts_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[ContactRow]:
    """The contacts that the items of a job meant, each once, in the order of the items."""
    ids = {
        result.contact_id: None
        async for result in results.results(pool, account_id, job_id)
        if result.contact_id is not None and result.outcome is not Outcome.FAILED
    }
    rows = {row.id: row for row in await contacts.by_ids(pool, account_id, list(ids))}
    return [rows[id_] for id_ in ids if id_ in rows]


def succeeded(job: JobRow) -> int:
    """How many items did not fail."""
    return sum(getattr(job, name) for name in SUCCEEDED)
