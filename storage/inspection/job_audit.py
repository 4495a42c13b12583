"""The audit of a job: who submitted, cancelled, retried and undid it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.callers import Caller, read_caller
from schemas.ids import AccountId, JobId
from storage.pipeline.jobs import MAX_CHILDREN
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

QUERIES = load(__name__)


class Action(StrEnum):
    """What was done to a job."""

    SUBMITTED = "submitted"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow:
    """One action. `caller` None: unknown, as of an older release. `job_id`: the job that was made by it."""

    action: Action
    at: datetime
    caller: Caller | None
    key_name: str | None
    job_id: JobId | None


async def actions(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> list[ActionRow]:
    """Return what was done to a job, in the order of time; empty: the account has no such job."""
    rows = await QUERIES.actions(db, account_id=account_id, id=job_id, most=MAX_CHILDREN)
    return [
        ActionRow(
            action=Action(row["action"]),
            at=row["at"],
            caller=read_caller(row["caller"]),
            key_name=row["key_name"],
            job_id=row["job_id"],
        )
        for row in rows
    ]
