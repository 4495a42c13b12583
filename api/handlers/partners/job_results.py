"""What the result bodies of several partners need of an ended job: its item errors and its contacts."""

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
    """All item errors of a job of a bounded request, by index."""
    return [error async for page in results.error_pages(pool, account_id, job_id) for error in page]


async def reasons_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[Reason]:
    """All item errors of a job, as Kirim and Oliai show them."""
    return [
        Reason(index=error.index, reason=error.message, code=error.code, field=error.field)
        for error in await errors_of(pool, account_id, job_id)
    ]


async def contacts_of(pool: Pool, account_id: AccountId, job_id: JobId) -> list[ContactRow]:
    """The contacts that items of a job named without failing, each once, in the order of the items."""
    ids = {
        result.contact_id: None
        async for result in results.results(pool, account_id, job_id)
        if result.contact_id is not None and result.outcome is not Outcome.FAILED
    }
    rows = {row.id: row for row in await contacts.by_ids(pool, account_id, list(ids))}
    return [rows[id_] for id_ in ids if id_ in rows]


def phone_of(item: Any, otherwise: Any) -> Any:
    """The phone of an item as it was sent, in any spelling of its name; `otherwise` if it has none."""
    if not isinstance(item, dict):
        return otherwise
    return next((item[name] for name in PHONE_NAMES if name in item), otherwise)


def succeeded(job: JobRow) -> int:
    """How many items did not fail."""
    return sum(getattr(job, name) for name in SUCCEEDED)
