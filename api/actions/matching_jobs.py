"""Find the jobs on which an action on all matching jobs can act, and collect what it did to them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.actions.list_jobs import job_filter
from schemas.errors import Conflict
from schemas.ids import AccountId, JobId, show_job_id
from schemas.wire.job_actions import JobsAction, SkippedJob
from storage.pipeline import job_search
from storage.pipeline.job_search import JobFilter, NamedJob
from storage.postgres.pool import Pool

ACT_SECONDS = 20.0  # one request acts so long; then the client sends it again
SHOWN_JOBS = 20  # in a preview
LISTED_JOBS = 1_000  # in the response of an action


@dataclass(slots=True, kw_only=True)
class Acting:
    """What an action has done so far. `stopped`: why jobs remain."""

    matched: int
    jobs: Sequence[JobId]  # those that match, oldest first; for a preview, maybe only the first of them
    skipped: list[SkippedJob]
    done: list[JobId] = field(default_factory=list)
    reached: int = 0
    stopped: str | None = None
    _until: float = 0.0

    def __post_init__(self) -> None:
        self._until = asyncio.get_running_loop().time() + ACT_SECONDS

    def goes_on(self) -> bool:
        """Return whether there is time for one more job."""
        if self.stopped is None and asyncio.get_running_loop().time() > self._until:
            self.stopped = "time"
        return self.stopped is None

    def skip(self, job_id: JobId, code: str) -> None:
        """Leave a job as it is."""
        self.reached += 1
        self.skipped.append(SkippedJob(id=show_job_id(job_id), code=code))

    def did(self, job_id: JobId) -> None:
        """Count a job as done. `job_id` is the one to show: of a retry, the new one."""
        self.reached += 1
        self.done.append(job_id)

    def shown(self, action: JobsAction) -> dict[str, Any]:
        """Return the fields of the response, without the number of jobs that are done."""
        jobs = self.jobs[:SHOWN_JOBS] if action.preview else self.done[:LISTED_JOBS]
        return {
            "preview": action.preview,
            "matched": self.matched,
            "remaining": self.matched - self.reached,
            "stopped": self.stopped,
            "skipped": self.skipped[:LISTED_JOBS],
            "jobs": [show_job_id(job_id) for job_id in jobs],
        }


async def jobs_to_cancel(pool: Pool, account_id: AccountId, action: JobsAction) -> Acting:
    """Return the matching jobs that can be cancelled. Raises Conflict if they are not so many as expected."""

    async def find(wanted: JobFilter) -> tuple[int, list[JobId]]:
        jobs = await job_search.unended(pool, account_id, wanted)
        return len(jobs), jobs

    return await _matching(pool, account_id, action, find, _why_not_cancelled)


async def jobs_to_retry(pool: Pool, account_id: AccountId, action: JobsAction) -> Acting:
    """Return the matching jobs with failed items and no retry. Raises Conflict as `jobs_to_cancel`."""

    async def find(wanted: JobFilter) -> tuple[int, list[JobId]]:
        size = SHOWN_JOBS if action.preview else None
        return await job_search.retryable(pool, account_id, wanted, size=size)

    return await _matching(pool, account_id, action, find, _why_not_retried)


async def _matching(
    pool: Pool,
    account_id: AccountId,
    action: JobsAction,
    find: Callable[[JobFilter], Awaitable[tuple[int, list[JobId]]]],
    why_not: Callable[[NamedJob], str | None],
) -> Acting:
    """Find the jobs. One that is named by its id and on which the action cannot act is skipped.

    `find` returns the number of jobs that match a filter, and their ids.
    """
    wanted, ids = job_filter(action.filter), action.filter.ids
    if ids is None:
        matched, jobs = await find(wanted)
        acting = Acting(matched=matched, jobs=jobs, skipped=[])
    else:
        named = await job_search.named(pool, account_id, wanted, ids)
        reasons = {job.id: why_not(job) for job in named if job.matches}
        jobs = [job_id for job_id, why in reasons.items() if why is None]
        acting = Acting(matched=len(jobs), jobs=jobs, skipped=[])
        codes = dict.fromkeys(ids, "unknown_job") | {job.id: reasons.get(job.id) for job in named}
        acting.skipped += [SkippedJob(id=show_job_id(id_), code=code) for id_, code in codes.items() if code]
    if action.expected in (None, acting.matched):
        return acting
    message = (
        f"{acting.matched} jobs match, not {action.expected}: nothing was changed. Look at a new preview"
    )
    raise Conflict(message, code="count_changed", param="expected")


def _why_not_cancelled(job: NamedJob) -> str | None:
    return "job_ended" if job.state.ended else None


def _why_not_retried(job: NamedJob) -> str | None:
    """Return the code of why a job cannot be retried, or None."""
    if not job.state.ended:
        return "job_not_ended"
    if not job.failed:
        return "nothing_to_retry"
    return None if job.retryable else "already_retried"
