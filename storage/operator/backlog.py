"""The backlog of all accounts as figures, in which no account is named. No statement reads a large table."""

from dataclasses import dataclass

from schemas.operations import Operation
from schemas.states import JobState
from storage.operator.workers import SILENT_SECONDS
from storage.postgres.named_queries import Db, load

QUERIES = load(__name__)

MOST = 10_000  # streams, running jobs, uploads, accounts or webhooks that are counted: the time is bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogFigures:
    """What all accounts wait for, and the workers that there are."""

    jobs: dict[JobState, int]  # that have not ended, by state
    oldest_waiting_seconds: float  # 0: no job waits
    failing_jobs: int
    throttled_accounts: int
    due_webhooks: int  # that have a delivery which is due
    oldest_due_seconds: float  # since the first of their deliveries was due; 0: none is
    workers_alive: int
    workers_silent: int


async def read(db: Db) -> BacklogFigures:
    """Return the backlog at this moment."""
    row = await QUERIES.summary(db, operations=list(Operation), silent_seconds=SILENT_SECONDS, most=MOST)
    return BacklogFigures(
        jobs={
            JobState.RECEIVING: row["receiving"],
            JobState.QUEUED: max(row["pending"] - row["running"], 0),
            JobState.RUNNING: row["running"],
        },
        oldest_waiting_seconds=row["oldest_waiting_seconds"],
        failing_jobs=row["failing_jobs"],
        throttled_accounts=row["throttled_accounts"],
        due_webhooks=row["due_webhooks"],
        oldest_due_seconds=row["oldest_due_seconds"],
        workers_alive=row["alive"],
        workers_silent=row["silent"],
    )
