"""Retry a job: a new job from its failed items."""

from collections.abc import AsyncIterator

from aiohttp import web

from api.accept.accept import BulkRequest, Plan
from api.accept.body import Fingerprint, JobPart, RequestBody, cut_parts
from api.results.retry import check_retry, failed_items, format_of_failed, renames_of_failed
from schemas.operations import Operation
from schemas.traces import link_to
from storage.pipeline.jobs import Parent

# A retry of an overwrite must keep the contacts that the overwrite put into the list.
RETRIED_AS = {Operation.LISTS_OVERWRITE: Operation.LISTS_ADD}


class RetryRequest(BulkRequest):
    """A request whose items are the failed ones of an ended job; it has no body."""

    def __init__(self, request: web.Request, parent: Parent) -> None:
        super().__init__(request)
        self._parent = parent

    async def open(self) -> RequestBody:
        """Return a body that is not read: the fingerprint is that of the path."""
        return RequestBody(
            format=format_of_failed(self._parent),
            fingerprint=Fingerprint(self.request),
            file_name=self._parent.file_name,
        )

    async def plan(self) -> Plan:
        """Plan a job with the operation and parameters of the parent. Raises NotAcceptable, Conflict."""
        self.refuse_problems()
        check_retry(self._parent)
        link_to(self._parent.trace)
        return Plan(
            operation=RETRIED_AS.get(self._parent.operation, self._parent.operation),
            params=self._parent.params.model_copy(update={"max_errors": None}),  # a limit for the whole file
            name=self._parent.name,
            tags=self._parent.tags,
            format=format_of_failed(self._parent),
            parallel=self._parent.parallel,
            dry_run=self._parent.dry_run,
            parent_id=self._parent.job_id,
        )

    async def parts(self) -> AsyncIterator[JobPart]:
        """Cut the failed items into parts, which have the layout of the parent."""
        layout = self._parent.layout.to_dict() if self._parent.layout else None
        async for part in cut_parts(
            failed_items(self.api.ctx.pool, self._parent),
            format_of_failed(self._parent),
            self._parent.operation,
            settings=self.api.ctx.settings,
            renames=renames_of_failed(self._parent),
            declared=False,
        ):
            yield JobPart(data=part.data, layout=layout)
