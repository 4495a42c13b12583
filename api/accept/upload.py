"""Upload: store the body of a bulk request as the parts of a job, and accept the job.

A body of one part needs one transaction. A longer one is stored while it arrives, in constant memory, under a
job in the state `receiving`. If it is incomplete, the job ends as `failed` and its bytes are deleted.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from api.accept.body import SHORT_BYTES, Fingerprint, JobPart
from api.accept.idempotency import in_progress
from api.http.context import Api
from schemas.errors import BodyTooLarge, BulklaneError, Conflict, RateLimited, UploadCut
from schemas.formats.records import Span
from schemas.ids import JobId
from schemas.items.contacts import may_move_phones
from schemas.items.reader import CHUNK_ITEMS, spans
from schemas.operations import CONTACT, OPERATIONS
from storage.failpoints import reach
from storage.pipeline import uploads
from storage.pipeline.uploads import IdempotencyKeyTaken, NewJob, Received
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transaction

PARTS_A_CHECK = 64  # check the account's stored bytes at the second part, and then after this many parts
TOO_MANY_BYTES_SECONDS = 10  # the time when jobs end is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted job. `job` None: an earlier request made it. `total` None: a worker must split it.

    `first`: no earlier job of its stream was unfinished.
    """

    id: JobId
    job: NewJob | None = None
    total: int | None = None
    first: bool = True


async def accept_upload(
    api: Api, job: NewJob, body: AsyncIterator[JobPart], fingerprint: Fingerprint
) -> Accepted:
    """Store the parts of a body and accept the job; if it raises a BulklaneError, nothing is applied."""
    upload = Upload(api.ctx.pool, job, api.ctx.settings.max_stored_bytes)
    with api.uploads.keep(job.account_id, job.id):
        try:
            await upload.reserve()
            async for part in body:
                await upload.add(part)
            total, pending = await upload.accept(fingerprint.digest())
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
    return Accepted(id=job.id, job=job, total=total, first=pending == 1)


class Upload:
    """Stores the parts of one job. It holds the first part until there is a second: most bodies have one."""

    def __init__(self, pool: Pool, job: NewJob, max_stored_bytes: int) -> None:
        self._job = job
        self._max_stored_bytes = max_stored_bytes  # of all unfinished jobs of the account
        self._layout: dict[str, Any] | None = None
        self._pool = pool
        self._held: bytes | None = None
        self._parts = 0
        self._bytes = 0
        self._moves_phones = False
        self._reserved = False  # the job is stored, for its idempotency key
        self._opened = False  # the job is stored, with parts
        self._writing: asyncio.Task[None] | None = None  # writes a part while the next one arrives

    async def reserve(self) -> None:
        """Claim the idempotency key, if there is one; raises Conflict if another request has it."""
        if self._job.idempotency_key is not None:
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

    async def accept(self, request_hash: bytes) -> tuple[int | None, int]:
        """Accept the job.

        Returns the number of its items, or None if a worker must split the parts; and the number of
        unfinished jobs of its stream.
        """
        await self._written()
        chunks = None if self._opened else await self._chunks()
        # A long upload is not refused for the sake of a lock. COMMIT releases the locks of the stream and the
        # turn, for which other requests of the account wait; then the 202 waits for the disk.
        async with transaction(self._pool, long_wait=self._opened, durable=False, flush=True) as conn:
            accepted = await self._accept(conn, request_hash, chunks)
            reach("accept.before_commit")
        reach("accept.after_commit")
        return accepted

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

    async def _chunks(self) -> list[Span]:
        """Return the chunks of a body of one part; short records take some hundred milliseconds."""
        assert self._held is not None  # the cutters refuse an empty body
        arguments = (self._job.format, self._layout, self._held, CHUNK_ITEMS)
        return await asyncio.to_thread(spans, *arguments) if self._bytes >= SHORT_BYTES else spans(*arguments)

    async def _accept(
        self, conn: Conn, request_hash: bytes, chunks: list[Span] | None
    ) -> tuple[int | None, int]:
        total = None
        if chunks is not None:
            assert self._held is not None  # the cutters refuse an empty body
            await self._open_job(conn)
            await uploads.add_part(conn, self._job.account_id, self._job.id, 0, self._held)
            self._parts = 1
            total = await uploads.add_chunks(conn, self._job.account_id, self._job.id, 0, 0, chunks)
        received = Received(
            layout=self._layout,
            parallel=1 if self._in_order() else self._job.parallel,
            parts=self._parts,
            size=self._bytes,
            total=total,
            request_hash=request_hash if self._job.idempotency_key is not None else None,
        )
        pending = await uploads.accept(conn, self._job, received)
        if not pending:
            raise Conflict(
                "the upload was cancelled, or aborted because the api did not respond: send it again"
            )
        return total, pending

    async def _check_stored(self) -> None:
        """Raise BodyTooLarge or RateLimited if the account's unfinished jobs hold too many bytes."""
        if self._bytes > self._max_stored_bytes:
            message = f"the body is larger than the {self._max_stored_bytes} bytes that an account may store"
            raise BodyTooLarge(f"{message}: send it in several requests")
        stored = await uploads.stored_bytes(self._pool, self._job.account_id)
        if stored > self._max_stored_bytes:
            raise RateLimited(
                f"the unfinished jobs of this account hold {stored} bytes and may hold "
                f"{self._max_stored_bytes}: send the request again when some have ended",
                code="too_many_bytes",
                retry_after=TOO_MANY_BYTES_SECONDS,
            )

    async def _open_job(self, db: Conn | Pool) -> None:
        if self._reserved:
            return
        try:
            await uploads.open_job(db, self._job)
        except IdempotencyKeyTaken:
            assert self._job.idempotency_key is not None
            raise in_progress(self._job.idempotency_key) from None

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
            await uploads.add_part(conn, self._job.account_id, self._job.id, number, part)
        reach("part.stored")

    async def _written(self) -> None:
        """Wait until the part is written; a cancellation of this task does not cancel the write."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._writing.result()

    def _in_order(self) -> bool:
        """Return whether chunks must run in order: by the operation, or if items can move phones."""
        traits = OPERATIONS[self._job.operation]
        if traits.in_order or traits.items is not CONTACT:
            return traits.in_order
        if self._layout is not None:
            return "external_id" in self._layout["columns"]
        return self._moves_phones
