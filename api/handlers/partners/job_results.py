"""Read the item errors and the contacts of an ended job, for the responses of several partners."""

from typing import Any

from schemas.ids import AccountId, JobId
from schemas.item_errors import ItemError
from schemas.items.contacts import PHONE_NAMES
from schemas.states import Outcome
from schemas.wire.partners import Reason
from storage.entities import contacts
from storage.entities.contact_columns import ContactRow
from storage.pipeline import results
from storage.pipeline.jobs import JobRow
from storage.postgres.pool import Pool

SUCCEEDED = ("created", "updated", "unchanged", "merged", "skipped")


async def errors_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[ItemError]:
    """Return all item errors of a job by index; the number is bounded by the request."""
    return [error async for page in results.error_pages(pool, account_id, job_id) for error in page]


async def reasons_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[Reason]:
    """Return all item errors of a job, in the form of Kirim and Oliai."""
    return [
        Reason(index=error.index, reason=error.message, code=error.code, field=error.field)
        for error in await errors_of(pool, account_id, job_id)
    ]


async def contacts_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[ContactRow]:
    """Return the contacts of the items that did not fail, each once, in the order of the items."""
    ids = {
        result.contact_id: None
        async for result in results.results(pool, account_id, job_id)
        if result.contact_id is not None and result.outcome is not Outcome.FAILED
    }
    rows = {row.id: row for row in await contacts.by_ids(pool, account_id, list(ids))}
    return [rows[id_] for id_ in ids if id_ in rows]


def phone_of(item: Any, otherwise: Any) -> Any:
    """Return the phone of an item as it was sent, under any spelling; `otherwise` if it has none."""
    if not isinstance(item, dict):
        return otherwise
    return next((item[name] for name in PHONE_NAMES if name in item), otherwise)


def succeeded(job: JobRow) -> int:
    """Return the number of items that did not fail."""
    return sum(getattr(job, name) for name in SUCCEEDED)
