"""Upload: store the body of a bulk request as the parts of a job, and accept the job.

A body of one part is accepted by one statement, which takes several jobs if they come at once. A longer one
is stored while it arrives, in constant memory, under a job in the state `receiving`. If it is incomplete, the
job ends as `failed` and its bytes are deleted.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from api.accept.body import SHORT_BYTES, Fingerprint, JobPart
from api.accept.idempotency import in_progress
from api.accept.room import check_room
from api.http.context import Api
from schemas.errors import BodyTooLarge, BulklaneError, Conflict, UploadCut
from schemas.items.contacts import may_move_phones
from schemas.items.reader import CHUNK_ITEMS, spans
from schemas.metrics import JOBS_ACCEPTED
from schemas.noted_metrics import count
from schemas.operations import CONTACT, OPERATIONS
from storage.failpoints import reach
from storage.pipeline import uploads
from storage.pipeline.receiving import SmallJob
from storage.pipeline.uploads import AlreadyRetried, IdempotencyKeyTaken, NewJob, Place, Received
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transaction

PARTS_A_CHECK = 64  # check the account's stored bytes at the second part, and then after this many parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted job. `total` None: a worker must split it.

    If it is not `durable`, call `uploads.confirm` before a client hears that it was accepted.
    """

    job: NewJob
    place: Place
    total: int | None
    durable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Said of a job whose body is a resumable upload: the job is stored as `receiving`.

    `finish` ends the upload in the transaction that accepts the job; it returns False if the upload may make
    no job any more. `size`: the bytes of the upload, which count as stored besides the parts of the job.
    """

    finish: Callable[[Conn], Awaitable[bool]]
    size: int


async def accept_upload(
    api: Api,
    job: NewJob,
    body: AsyncIterator[JobPart],
    fingerprint: Fingerprint,
    *,
    arrived: bool,
    durable: bool = True,
    staged: Staged | None = None,
) -> Accepted:
    """Store the parts of a body and accept the job; if it raises a BulklaneError, nothing is applied.

    The idempotency key of a body that has not `arrived` is reserved while it arrives. The caller of one that
    need not be `durable` must look whether the accepted job is.
    """
    upload = Upload(api, job, durable=durable, staged=staged)
    with api.uploads.keep(job.account_id, job.id):
        try:
            if not arrived:
                await upload.reserve()
            async for part in body:
                await upload.add(part)
            total, place = await _accept(upload, fingerprint)
        except UploadCut as error:
            await upload.fail(error, leave_a_trace=True)
            raise
        except BulklaneError as error:
            await upload.fail(error, leave_a_trace=False)
            raise
        except asyncio.CancelledError:
            await asyncio.shield(
                upload.fail(UploadCut("the api stopped: send the request again"), leave_a_trace=True)
            )
            raise
    count(JOBS_ACCEPTED, job.operation)
    return Accepted(job=job, place=place, total=total, durable=upload.durable)


async def _accept(upload: "Upload", fingerprint: Fingerprint) -> tuple[int | None, Place]:
    try:
        return await upload.accept(fingerprint.digest())
    except AlreadyRetried:
        raise Conflict("the job has a retry: retry that one", code="already_retried") from None


class Upload:
    """Stores the parts of one job. It holds the first part until there is a second: most bodies have one."""

    def __init__(self, api: Api, job: NewJob, *, durable: bool, staged: Staged | None = None) -> None:
        self._api = api
        self._job = job
        self._staged = staged
        self.durable = durable  # whether the accepted job is on disk
        self._layout: dict[str, Any] | None = None
        self._pool = api.ctx.pool
        self._announcer = api.ctx.announcer
        self._uploads = api.uploads
        self._keeps = job.params.unknown_columns == "keep"
        self._held: bytes | None = None
        self._parts = 0
        self._bytes = 0
        self._moves_phones = False
        self._reserved = False  # the job is stored, without parts
        self._opened = False  # the job is stored, with parts
        self._writing: asyncio.Task[None] | None = None  # writes a part while the next one arrives

    async def reserve(self) -> None:
        """Claim the idempotency key, if there is one; raises Conflict if another request has it."""
        if self._staged is not None:
            self._uploads.leased.add((self._job.account_id, self._job.id))
            self._reserved = True
        elif self._job.idempotency_key is not None:
            await self._open_job(self._pool)
            self._reserved = True

    async def add(self, part: JobPart) -> None:
        """Add the next part; returns when another one can be added."""
        self._layout = part.layout
        self._moves_phones = self._moves_phones or may_move_phones(part.data)
        self._bytes += len(part.data)
        if self._held is None and not self._opened:
            self._held = part.data
        elif not self._opened:
            await self._open()
            await self._write(part.data)
        else:
            await self._write(part.data)
        if self._parts % PARTS_A_CHECK == 2:
            await self._check_stored()

    async def accept(self, digest: bytes) -> tuple[int | None, Place]:
        """Accept the job of the request with this fingerprint.

        Returns the number of its items, or None if a worker must split the parts; and its place. Raises
        AlreadyRetried.
        """
        await self._written()
        request_hash = digest if self._job.idempotency_key is not None else None
        small = None if self._opened else await self._small(request_hash)
        if self._keeps and small is not None:  # the statement for several jobs at once keeps no rows
            await self._open_job(self._pool)
            self._reserved = True
        if small is None or self._reserved:
            return await self._accept_stored(small, request_hash)
        reach("accept.before_commit")
        place = await self._accept_small(small)
        reach("accept.after_commit")
        return small.total, place

    async def fail(self, error: BulklaneError, *, leave_a_trace: bool) -> None:
        """End the job as failed; a job that was never stored is stored only to `leave_a_trace`."""
        with suppress(Exception):  # the write of the last part must end before the job fails
            await self._written()
        if not self._opened and not leave_a_trace:
            if self._reserved:
                await uploads.forget(self._pool, self._job.account_id, self._job.id)
            return
        async with transaction(self._pool) as conn:
            if not self._opened:
                await self._open_job(conn)
            await uploads.fail(conn, self._job.account_id, self._job.id, error.code, error.message)
            await uploads.drop_parts(conn, self._job.account_id, self._job.id)
        await self._announcer.end([(self._job.account_id, self._job.id)])

    async def _small(self, request_hash: bytes | None) -> SmallJob:
        assert self._held is not None  # the cutters refuse an empty body
        arguments = (self._job.format, self._layout, self._held, CHUNK_ITEMS)
        # short records take some hundred milliseconds
        is_long = self._bytes >= SHORT_BYTES
        chunks = await asyncio.to_thread(spans, *arguments) if is_long else spans(*arguments)
        return SmallJob(
            job=self._job,
            body=self._held,
            chunks=chunks,
            layout=self._layout,
            parallel=self._parallel(),
            request_hash=request_hash,
            durable=self.durable,
        )

    async def _accept_small(self, small: SmallJob) -> Place:
        key = self._job.idempotency_key
        with suppress(IdempotencyKeyTaken):
            return await self._uploads.accept_small(small)
        assert key is not None
        await uploads.free_key(self._pool, self._job.account_id, key)
        try:
            return await self._uploads.accept_small(small)
        except IdempotencyKeyTaken:
            raise in_progress(key) from None

    async def _accept_stored(
        self, small: SmallJob | None, request_hash: bytes | None
    ) -> tuple[int | None, Place]:
        """Accept a job in the state `receiving`. The body of a `small` one is not stored yet."""
        received = Received(
            layout=self._layout,
            parallel=self._parallel(),
            parts=self._parts if small is None else 1,
            size=self._bytes,
            total=None if small is None else small.total,
            request_hash=request_hash,
        )
        # A long upload is not refused for the sake of a lock. COMMIT releases the locks of the stream and the
        # turn, for which other requests of the account wait; then the 202 waits for the disk.
        async with transaction(self._pool, long_wait=self._opened, durable=False, flush=True) as conn:
            if small is not None:
                await self._add_part(conn, 0, small.body)
                await uploads.add_chunks(conn, self._job.account_id, self._job.id, 0, 0, small.chunks)
            may_finish = self._staged is None or await self._staged.finish(conn)
            place = await uploads.accept(conn, self._job, received) if may_finish else None
            if place is None:
                raise Conflict(
                    "the upload was cancelled, or aborted because the api did not respond: send it again"
                )
            reach("accept.before_commit")
        reach("accept.after_commit")
        self.durable = True
        return received.total, place

    async def _check_stored(self) -> None:
        """Raise BodyTooLarge or RateLimited if the account's unfinished jobs hold too many bytes."""
        most = self._api.ctx.settings.max_stored_bytes
        if self._bytes > most:
            message = f"the body is larger than the {most} bytes that an account may store"
            raise BodyTooLarge(f"{message}: send it in several requests")
        await check_room(self._api, self._job.account_id, -self._staged.size if self._staged else 0)

    async def _open_job(self, db: Conn | Pool) -> None:
        if self._reserved:
            return
        try:
            await uploads.open_job(db, self._job)
        except IdempotencyKeyTaken:
            assert self._job.idempotency_key is not None
            raise in_progress(self._job.idempotency_key) from None
        self._uploads.leased.add((self._job.account_id, self._job.id))
        self._announcer.change(self._job.account_id)

    async def _open(self) -> None:
        assert self._held is not None
        await self._open_job(self._pool)
        self._opened = True
        await self._write(self._held)
        self._held = None

    async def _write(self, part: bytes) -> None:
        """Start to write a part after the previous one is written."""
        await self._written()
        self._writing = asyncio.create_task(self._insert(self._parts, part))
        self._parts += 1

    async def _insert(self, number: int, part: bytes) -> None:
        # not durable: the commit of accept waits for the disk, also for all earlier commits
        async with transaction(self._pool, durable=False) as conn:
            await self._add_part(conn, number, part)
        reach("part.stored")

    async def _add_part(self, conn: Conn, number: int, part: bytes) -> None:
        await uploads.add_part(conn, self._job.account_id, self._job.id, number, part)
        if self._keeps:
            await uploads.keep_part(conn, self._job.account_id, self._job.id, number, part)

    async def _written(self) -> None:
        """Wait until the part is written; a cancellation of this task does not cancel the write."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._writing.result()

    def _parallel(self) -> int:
        """Return how many chunks may be in flight."""
        return 1 if self._in_order() else self._job.parallel

    def _in_order(self) -> bool:
        """Return whether chunks must run in order: by the operation, or if items can move phones."""
        traits = OPERATIONS[self._job.operation]
        if traits.in_order or traits.items is not CONTACT:
            return traits.in_order
        if self._layout is not None:
            return "external_id" in self._layout["columns"]
        return self._moves_phones
