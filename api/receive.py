"""Receive a bulk request: its body becomes the parts of a job, and the job is accepted.

A body of one part costs one transaction. A longer one is stored as it arrives, in constant memory, under a
job in the state `receiving`; what does not arrive whole ends as `failed` and leaves no bytes behind.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from api.body import UploadCut, pipeline_for, read_pieces, read_whole
from api.context import Api
from api.form import open_form
from api.parameters import Parameters
from api.request_keys import REQUEST_ID
from schemas.contacts import FIELDS, known_column
from schemas.errors import BulklaneError, Conflict, NotAcceptable
from schemas.formats.content_type import Format, format_for
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter
from schemas.formats.json_array import split_array
from schemas.formats.ndjson import NdjsonCutter
from schemas.ids import new_job_id
from schemas.items import CHUNK_ITEMS, spans
from schemas.params import JobParams
from schemas.settings import Settings
from schemas.states import Operation
from storage import jobs
from storage.accounts import Account
from storage.jobs import NewJob, Received
from storage.pool import LOST_CONNECTION, Conn, Pool

# An item with an external id can move a phone from one contact to another; such jobs run in order. The key
# may be spelled with escapes, so an escaped ASCII letter counts as well.
EXTERNAL_ID = b"external_id"
ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")


BELL_SECONDS = 1.0  # a Redis that hangs must not hold the 202 up; the reconciler rings again


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted job; `total` is None where a worker has to split."""

    job: NewJob
    total: int | None


async def receive(request: web.Request, api: Api, account: Account, parameters: Parameters) -> Accepted:
    """Read the body to its end and accept the job; raises a BulklaneError, and then nothing is applied."""
    settings = api.ctx.settings
    source, content_type = await _source_of(request, settings.upload_idle_seconds)
    format_ = format_for(content_type)
    _check_renames(parameters, format_)
    job = NewJob(
        account_id=account.id,
        id=new_job_id(),
        operation=Operation.CONTACTS_UPSERT,
        stream="contacts",
        format=format_,
        params=JobParams(region=parameters.region or account.region),
        parallel=parameters.parallel or settings.parallel,
        request_id=request[REQUEST_ID],
    )
    pipe = pipeline_for(request, content_type)
    limit = settings.max_json_bytes if format_ is Format.JSON else settings.max_upload_bytes
    pieces = read_pieces(source, pipe, limit=limit, idle_seconds=settings.upload_idle_seconds)
    receiving = _Receiving(api.ctx.pool, job)
    with api.uploads.keep(account.id, job.id):
        try:
            await _store(receiving, pieces, parameters, settings)
            total = await receiving.accept()
        except UploadCut as error:
            await receiving.fail(error, leave_a_trace=True)
            raise
        except BulklaneError as error:
            await receiving.fail(error, leave_a_trace=False)
            raise
        except asyncio.CancelledError:
            await asyncio.shield(receiving.fail(UploadCut("the api was stopped"), leave_a_trace=True))
            raise
    await _ring(api, job, total)
    return Accepted(job=job, total=total)


async def _source_of(request: web.Request, idle_seconds: float) -> tuple[AsyncIterator[bytes], str | None]:
    """The raw body and its content type: of the one file, where a browser sends a form."""
    if request.content_type.startswith("multipart/"):
        return await open_form(request, idle_seconds)
    return request.content.iter_any(), request.headers.get("Content-Type")


def _check_renames(parameters: Parameters, format_: Format) -> None:
    """A rename that nothing would follow: better refused than a field lost without a word."""
    if parameters.renames and format_ is not Format.CSV:
        raise NotAcceptable(
            "only a CSV file has columns to rename: name the fields of JSON items as they are",
            param=f"map.{next(iter(parameters.renames))}",
        )


async def _store(
    receiving: "_Receiving", pieces: AsyncIterator[bytes], parameters: Parameters, settings: Settings
) -> None:
    """Cut the body into parts and hand each over as it is full."""
    match receiving.job.format:
        case Format.JSON:
            body = await read_whole(pieces)
            # some hundred milliseconds for the largest body: not in the event loop
            envelope = await asyncio.to_thread(split_array, body, max_items=settings.max_json_items)
            for part in envelope.parts:
                await receiving.add(part)
        case Format.NDJSON:
            await _cut(receiving, pieces, NdjsonCutter())
        case Format.CSV:
            columns = Columns(known=known_column, names=FIELDS, renames=parameters.renames)
            await _cut(receiving, pieces, CsvCutter(columns))


async def _cut(
    receiving: "_Receiving", pieces: AsyncIterator[bytes], cutter: CsvCutter | NdjsonCutter
) -> None:
    async for piece in pieces:
        for part in cutter.feed(piece):
            receiving.layout = _layout(cutter)
            await receiving.add(part)
    for part in cutter.flush():
        receiving.layout = _layout(cutter)
        await receiving.add(part)


def _layout(cutter: CsvCutter | NdjsonCutter) -> dict[str, Any] | None:
    return cutter.layout.to_dict() if isinstance(cutter, CsvCutter) and cutter.layout else None


async def _ring(api: Api, job: NewJob, total: int | None) -> None:
    """Best effort: the job is accepted, whether anybody hears of it at once or not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BELL_SECONDS):
            if total is None:
                await api.ctx.queue.ring_split(job.account_id, job.id)
            else:
                await api.ctx.queue.ring_work(min(job.parallel, -(-total // CHUNK_ITEMS)))


class _Receiving:
    """The parts of one body on their way into the database; the first is held back until there is more."""

    def __init__(self, pool: Pool, job: NewJob) -> None:
        self.job = job
        self.layout: dict[str, Any] | None = None
        self._pool = pool
        self._held: bytes | None = None
        self._parts = 0
        self._bytes = 0
        self._moves_phones = False
        self._opened = False
        self._writing: asyncio.Task[None] | None = None  # the last part, while the next one is being read

    async def add(self, part: bytes) -> None:
        """Take the next part; returns when there is room for another."""
        self._moves_phones = self._moves_phones or _may_move_phones(part)
        self._bytes += len(part)
        if self._held is None and not self._opened:
            self._held = part
        elif not self._opened:
            await self._open()
            await self._write(part)
        else:
            await self._write(part)

    async def accept(self) -> int | None:
        """Accept the job: the number of its items, or None where a worker has to split."""
        await self._written()
        committed = False
        try:
            async with self._pool.acquire() as conn:
                async with conn.transaction():
                    total = await self._accept(conn)
                committed = True
        except LOST_CONNECTION:
            if not committed:  # else it was only lost on its way back to the pool
                raise
        return total

    async def _accept(self, conn: Conn) -> int | None:
        total = None
        if not self._opened:
            assert self._held is not None  # the cutters refuse an empty body
            await jobs.open_job(conn, self.job)
            await jobs.add_part(conn, self.job.account_id, self.job.id, 0, self._held)
            self._parts = 1
            chunks = spans(self.job.format, self.layout, self._held, CHUNK_ITEMS)
            total = await jobs.add_chunks(conn, self.job.account_id, self.job.id, 0, 0, chunks)
        received = Received(
            layout=self.layout,
            parallel=1 if self._in_order() else self.job.parallel,
            parts=self._parts,
            size=self._bytes,
            total=total,
        )
        if not await jobs.accept(conn, self.job, received):
            raise Conflict("the upload was given up, for the api was silent: send it again")
        return total

    async def fail(self, error: BulklaneError, *, leave_a_trace: bool) -> None:
        """End the job as failed. One that was never stored leaves a trace only if asked to."""
        with suppress(Exception):  # it ends as failed in any case, but not before its last part is written
            await self._written()
        if not self._opened and not leave_a_trace:
            return
        async with self._pool.acquire() as conn, conn.transaction():
            if not self._opened:
                await jobs.open_job(conn, self.job)
            await jobs.fail_receiving(conn, self.job.account_id, self.job.id, error.code, error.message)

    async def _open(self) -> None:
        assert self._held is not None
        await jobs.open_job(self._pool, self.job)
        self._opened = True
        await self._write(self._held)
        self._held = None

    async def _write(self, part: bytes) -> None:
        """Begin to write a part, once the one before is written."""
        await self._written()
        self._writing = asyncio.create_task(self._insert(self._parts, part))
        self._parts += 1

    async def _insert(self, number: int, part: bytes) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            # waits for no disk: accept does, and with it all that was written before
            await conn.execute("SET LOCAL synchronous_commit = off")
            await jobs.add_part(conn, self.job.account_id, self.job.id, number, part)

    async def _written(self) -> None:
        """Wait for the part that is being written; a cancellation of ours does not reach it."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
            self._writing.result()

    def _in_order(self) -> bool:
        """Whether items can move phones, so that chunks must not be applied side by side."""
        if self.layout is not None:
            return "external_id" in self.layout["columns"]
        return self._moves_phones


def _may_move_phones(part: bytes) -> bool:
    return EXTERNAL_ID in part or (b"\\u00" in part and ESCAPED_LETTER.search(part) is not None)
