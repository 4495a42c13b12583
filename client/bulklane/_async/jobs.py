"""Submit jobs, and find them again."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Unpack

from bulklane._async.body import AsyncBody
from bulklane._async.events import AsyncEvents
from bulklane._async.job import AsyncJob
from bulklane._async.listing import AsyncListing
from bulklane._async.transport import AsyncTransport
from bulklane.calls import Call, get, path, submit_headers
from bulklane.compression import Compression
from bulklane.decode import decode
from bulklane.models import CancelledJobs, JobCounts, Operation, RetriedJobs
from bulklane.parameters import BulkParameters, JobFilter, column_map, json_filter
from bulklane.rows import Format
from bulklane.sources import Submittable, open_source

SUBMIT_SECONDS = 120.0  # the api responds when the last part of the body is stored


class AsyncJobs:
    """`client.jobs`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def submit(
        self,
        source: Submittable,
        *,
        operation: Operation = "contacts.upsert",
        columns: Mapping[str, str | None] | None = None,
        format: Format | None = None,
        charset: str | None = None,
        compression: Compression = "gzip",
        file_name: str | None = None,
        idempotency_key: str | None = None,
        **parameters: Unpack[BulkParameters],
    ) -> AsyncJob:
        """Send rows; return their job as soon as all of them are stored.

        `source` is a path (CSV, NDJSON, JSON or a spreadsheet, also with `.gz` or `.zst`), an open file,
        bytes, any iterable of rows (objects, or texts and numbers that name contacts), or a data frame of
        pandas or polars. It is streamed in constant memory. `format` and `charset` say what a file without
        a telling name is. `columns` maps columns to fields; None leaves a column out. `parameters` are those
        of the operation.

        An attempt that fails is repeated with the same bytes and the same Idempotency-Key, so the rows are
        applied once. Raises SourceError, APIError or ConnectionLost.
        """
        opened = open_source(source, format, charset)
        body = AsyncBody(opened, compression)
        call = Call(
            method="POST",
            path=path("v1", "bulk", operation),
            query={**parameters, **column_map(columns)},
            headers=submit_headers(file_name or opened.file_name, idempotency_key),
            repeatable=True,
            seconds=SUBMIT_SECONDS,
        )
        made = await self._transport.send(call, body=body)
        keeps = parameters.get("unknown_columns") == "keep"
        return AsyncJob.made(self._transport, made, body.rows, keeps=keeps)

    async def get(self, job_id: str) -> AsyncJob:
        """Return a job."""
        return AsyncJob.made(self._transport, await self._transport.send(get(path("v1", "jobs", job_id))))

    def list(self, *, limit: int = 100, **filters: Unpack[JobFilter]) -> AsyncListing[AsyncJob]:
        """List jobs, newest first. `limit` is the size of a page, at most 100."""
        make = partial(AsyncJob.made, self._transport)
        return AsyncListing(self._transport, "/v1/jobs", make, limit=limit, **filters)

    async def counts(self, **filters: Unpack[JobFilter]) -> JobCounts:
        """Count jobs by state, exactly."""
        return decode(JobCounts, await self._transport.send(get("/v1/jobs/counts", **filters)))

    def events(self, *, last_event_id: str | None = None) -> AsyncEvents:
        """Yield the changes of all jobs of the account, from now on or after an event. It has no end."""
        return AsyncEvents(self._transport, "/v1/events", last_event_id)

    async def cancel_matching(
        self,
        *,
        preview: bool = True,
        expected: int | None = None,
        ids: Sequence[str] | None = None,
        **filters: Unpack[JobFilter],
    ) -> CancelledJobs:
        """Cancel all jobs that match; with `preview`, only count them. `expected`: only if so many match."""
        found = await self._act("/v1/jobs/cancel", preview, expected, json_filter(filters, ids))
        return decode(CancelledJobs, found)

    async def retry_matching(
        self,
        *,
        preview: bool = True,
        expected: int | None = None,
        ids: Sequence[str] | None = None,
        **filters: Unpack[JobFilter],
    ) -> RetriedJobs:
        """Retry the failed items of all jobs that match, as `cancel_matching` does."""
        found = await self._act("/v1/jobs/retry", preview, expected, json_filter(filters, ids))
        return decode(RetriedJobs, found)

    async def _act(self, path_: str, preview: bool, expected: int | None, filters: Mapping[str, Any]) -> Any:
        body = {"filter": filters, "preview": preview, "expected": expected}
        # after a first attempt that was served, the expected number does not match any more
        repeatable = preview or expected is None
        return await self._transport.send(Call(method="POST", path=path_, json=body, repeatable=repeatable))
