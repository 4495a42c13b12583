"""Undo a job: a new job that gives its contacts back what they had."""

from collections.abc import AsyncIterator

from aiohttp import web

from api.accept.accept import BulkRequest, Plan
from api.accept.body import Fingerprint, JobPart, RequestBody, cut_parts
from schemas.errors import Conflict
from schemas.formats.content_type import Format
from schemas.ids import show_job_id
from schemas.operations import JobParams, Operation
from schemas.traces import link_to
from schemas.wire.bulk_query import UndoQuery
from storage.undo import undoing
from storage.undo.undoing import Undoable


class UndoRequest(BulkRequest):
    """A request whose items are the contacts that an ended job has changed; it has no body."""

    def __init__(self, request: web.Request, job: Undoable, query: UndoQuery) -> None:
        super().__init__(request)
        self._job = job
        self._query = query

    async def open(self) -> RequestBody:
        """Return a body that is not read: the fingerprint is that of path and query."""
        return RequestBody(format=Format.NDJSON, fingerprint=Fingerprint(self.request))

    async def plan(self) -> Plan:
        """Plan a job in the stream of the job that it undoes. Raises NotAcceptable, Conflict."""
        self.refuse_problems()
        check_undo(self._job, self.api.ctx.settings.undo_days)
        link_to(self._job.trace)
        return Plan(
            operation=Operation.JOBS_UNDO,
            params=JobParams(undoes=self._job.job_id, force=self._query.force, stream=self._job.stream),
            name=self._query.name or self._job.name,
            tags=self._query.tags or self._job.tags,
            # phones go back in order, from contact to contact
            parallel=1 if self._job.moves else self._query.parallel or self._job.parallel,
            dry_run=self._query.dry_run,
        )

    async def parts(self) -> AsyncIterator[JobPart]:
        """Cut the items, which the database makes, into parts."""
        job, pool = self._job, self.api.ctx.pool
        async with self.api.undos:
            if not job.moves:
                async for part in self._cut(undoing.items(pool, job.account_id, job.job_id)):
                    yield part
                return
            # contacts that exchanged phones go back in one chunk, so each run begins a part
            async for run in undoing.runs(pool, job.account_id, job.job_id):
                async for part in self._cut(_once(run)):
                    yield part

    def _cut(self, items: AsyncIterator[bytes]) -> AsyncIterator[JobPart]:
        settings = self.api.ctx.settings
        return cut_parts(items, Format.NDJSON, Operation.JOBS_UNDO, settings=settings, declared=False)


async def _once(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


def check_undo(job: Undoable, days: int) -> None:
    """Raise Conflict if a job cannot be undone, with the reason. `days`: how long its images are kept."""
    if not job.state.ended:
        raise Conflict(f"the job is {job.state}: undo it when it has ended", code="job_not_ended")
    if job.dry_run:
        raise Conflict("the job is a dry run, which changes nothing: there is nothing to undo", code=NOTHING)
    if not (job.created or job.updated or job.members or job.has_images):
        raise Conflict("the job has changed no contact: there is nothing to undo", code=NOTHING)
    if job.undone_by:
        message = f"{show_job_id(job.undone_by)} undoes the job and has not ended: wait for it, or cancel it"
        raise Conflict(message, code="undo_unfinished")
    if days == 0:
        message = "UNDO_DAYS is 0, so the values from before a job are not kept: ask the operator to set it"
        raise Conflict(message, code="undo_unavailable")
    if job.expired:
        message = f"the values from before the job are kept for {days} days (UNDO_DAYS), which have passed"
        raise Conflict(f"{message}: correct its contacts by another job", code="undo_expired")
    if not (job.created or job.has_images):
        message = (
            "the values from before the job were not kept: UNDO_DAYS was 0, or an older release applied it"
        )
        raise Conflict(f"{message}. Correct its contacts by another job.", code="undo_unavailable")


NOTHING = "nothing_to_undo"
