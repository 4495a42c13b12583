"""The jobs that name a contact, found in the results of the newest jobs of its account.

No index leads from a contact to its jobs, because it would make every load slower: see docs/design.md. So a
look is bounded, and the next one continues where it ended.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.ids import AccountId, JobId
from schemas.states import JobState, Outcome
from storage.postgres.named_queries import Db, load

LOOKED_JOBS = 50  # jobs whose results one look reads, at most
LOOKED_CHUNKS = 250  # chunks whose results it reads, at most: those of a large job take several looks
NO_INDEX = 2**31  # larger than the index of any item
QUERIES = load(__name__, {"no_index": NO_INDEX})


class LookedAt(NamedTuple):
    """Where a look ended: at the results from `first_index` on of this job. 0: it has read the whole job."""

    job_id: JobId
    first_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactJob:
    """A job that names a contact: `items` times, the last time with this index and outcome."""

    id: JobId
    name: str | None
    operation: str
    state: JobState
    dry_run: bool
    received_at: datetime
    item_index: int
    outcome: Outcome
    items: int


class Looked(NamedTuple):
    """The jobs that a look found, newest first; how many jobs it has read; where to continue, if at all."""

    found: list[ContactJob]
    jobs: int
    end: LookedAt | None


async def look(db: Db, account_id: AccountId, contact_id: int, *, after: LookedAt | None) -> Looked:
    """Look for a contact in the results of the newest jobs, or of those that follow an earlier look."""
    before, below = after or (None, None)
    rows = await QUERIES.look(
        db,
        account_id=account_id,
        contact_id=contact_id,
        before=before,
        below=below,
        jobs=LOOKED_JOBS,
        chunks=LOOKED_CHUNKS,
    )
    first = rows[0]
    found = [
        ContactJob(
            id=row["id"],
            name=row["name"],
            operation=row["operation"],
            state=JobState(row["state"]),
            dry_run=row["dry_run"],
            received_at=row["received_at"],
            item_index=row["item_index"],
            outcome=Outcome(row["outcome"]),
            items=row["items"],
        )
        for row in rows
        if row["id"] is not None
    ]
    end = LookedAt(first["end_job"], first["end_index"]) if first["end_job"] is not None else None
    return Looked(found, first["looked"], end)
