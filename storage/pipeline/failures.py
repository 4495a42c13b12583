"""Failures of a job: errors of ours while a worker splits, applies or finishes it. They delay the job.

A failure is counted on the job, not on a chunk: with `parallel=1` the chunks must be applied in order. The
other jobs of the stream wait, too; the other streams and accounts do not.
"""

from schemas.ids import AccountId, JobId
from storage.pipeline.leases import LONGEST_DELAY_SECONDS
from storage.postgres.named_queries import load
from storage.postgres.pool import Conn, Pool

MOST_FAILURES = 100  # the count stops here, so that the delay can be computed
FACTOR = 2  # by which each failure makes the delay longer
BUSY_SECONDS = 1  # the delay of a job that waits for a lock of somebody else
QUERIES = load(
    __name__,
    {
        "longest_delay_seconds": LONGEST_DELAY_SECONDS,
        "most_failures": MOST_FAILURES,
        "factor": FACTOR,
        "busy_seconds": BUSY_SECONDS,
    },
)


async def count(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> int:
    """Count a failure, and delay the job by 1, 2, 4 … seconds, at most LONGEST_DELAY_SECONDS.

    Returns the number of failures since the last success, or 0 if the job has ended.
    """
    failures: int | None = await QUERIES.count(db, account_id=account_id, id=job_id)
    return failures or 0


async def postpone(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> None:
    """Delay a job by BUSY_SECONDS without counting a failure."""
    await QUERIES.postpone(db, account_id=account_id, id=job_id)


async def reset(db: Conn | Pool, account_id: AccountId, job_id: JobId) -> None:
    """Forget the failures of a job after a success, and end its delay."""
    await QUERIES.reset(db, account_id=account_id, id=job_id)


async def delayed(db: Conn | Pool) -> int:
    """Return the number of jobs that had no success since their last failure."""
    jobs: int = await QUERIES.delayed(db)
    return jobs
