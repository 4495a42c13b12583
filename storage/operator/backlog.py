"""The backlog of all accounts as figures, in which no account is named. No statement reads a large table."""

from dataclasses import dataclass

from schemas.operations import Operation
from schemas.states import JobState
from storage.operator.workers import SILENT_SECONDS
from storage.postgres.named_queries import Db, load

QUERIES = load(__name__)

MOST = 10_000  # jobs of an operation and state, or accounts, that are counted: the time is bounded
UNFINISHED = [state for state in JobState if not state.ended]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogFigures:
    """What all accounts wait for, and the workers that there are. `jobs` is by operation and state."""

    jobs: dict[tuple[str, str], int]
    oldest_waiting_seconds: float  # 0: no job waits
    failing_jobs: int
    throttled_accounts: int
    workers_alive: int
    workers_silent: int


async def read(db: Db) -> BacklogFigures:
    """Return the backlog at this moment."""
    operations = list(Operation)
    jobs = await QUERIES.unfinished(db, states=UNFINISHED, operations=operations, most=MOST)
    row = await QUERIES.summary(db, operations=operations, silent_seconds=SILENT_SECONDS, most=MOST)
    return BacklogFigures(
        jobs={(found["operation"], found["state"]): found["jobs"] for found in jobs},
        oldest_waiting_seconds=row["oldest_waiting_seconds"],
        failing_jobs=row["failing_jobs"],
        throttled_accounts=row["throttled_accounts"],
        workers_alive=row["alive"],
        workers_silent=row["silent"],
    )
