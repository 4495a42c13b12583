"""Before-images: what a job changed of contacts, written by triggers in the transaction that changes them.

The triggers must know who is changing: a setting of the transaction, `bulklane.change`, says it. It is set by
statements that run anyway, before the first change: `chunks.fence`, `references.lock`, `upsert.empty_stage`,
`begin`, and those of `contacts` and `opt_ins` that lock a contact for a single change. If it is not set,
nothing is kept.
"""

from schemas.callers import Caller, stored_caller
from schemas.ids import JobId
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn

QUERIES = load(__name__)
NO_CHANGE = ""  # nothing is kept


def change_of(job_id: JobId, *, keep_images: bool) -> str:
    """Return the value of the setting for the changes of a job."""
    return str(job_id) if keep_images else NO_CHANGE


def single_change(by: Caller | None) -> str:
    """Return the value of the setting for a single change by this caller; None: it is not kept."""
    return stored_caller(by) or NO_CHANGE


async def begin(conn: Conn, job_id: JobId) -> None:
    """Keep what the transaction changes from now on, as changes of this job."""
    await QUERIES.begin(conn, change=str(job_id))
