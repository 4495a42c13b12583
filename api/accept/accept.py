"""Receive a bulk request: its body becomes the parts of a job, and the job is accepted.

A body of one part costs one transaction. A longer one is stored as it arrives, in constant memory, under a
job in the state `receiving`; what does not arrive whole ends as `failed` and leaves no bytes behind.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from api.accept.body import Fingerprint
from api.accept.upload import Receiving
from api.http.body_stream import read_whole
from api.http.context import Api
from schemas.errors import BulklaneError, UploadCut
from schemas.formats.content_type import Format
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter
from schemas.formats.json_array import split_array
from schemas.formats.ndjson import NdjsonCutter
from schemas.ids import JobId
from schemas.items.reader import CHUNK_ITEMS
from schemas.operations import OPERATIONS
from storage.pipeline.uploads import NewJob

BELL_SECONDS = 1.0  # a Redis that hangs must not hold the 202 up; the reconciler rings again

Feed = Callable[[Receiving], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted job. `job` is None where an earlier request was it, `total` where a worker has to split."""

    id: JobId
    job: NewJob | None = None
    total: int | None = None


async def receive(api: Api, job: NewJob, fingerprint: Fingerprint, feed: Feed) -> Accepted:
    """Take the parts that `feed` gives and accept the job; after a BulklaneError nothing is applied."""
    receiving = Receiving(api.ctx.pool, job)
    with api.uploads.keep(job.account_id, job.id):
        try:
            await receiving.reserve()
            await feed(receiving)
            total = await receiving.accept(fingerprint.digest())
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
    return Accepted(id=job.id, job=job, total=total)


def feed_pieces(
    pieces: AsyncIterator[bytes], *, max_json_items: int, renames: Mapping[str, str] | None = None
) -> Feed:
    """Cut the pieces of a body into parts, each handed over as it is full."""

    async def feed(receiving: Receiving) -> None:
        match receiving.job.format:
            case Format.JSON:
                body = await read_whole(pieces)
                # some hundred milliseconds for the largest body: not in the event loop
                envelope = await asyncio.to_thread(split_array, body, max_items=max_json_items)
                await _add(receiving, envelope.parts)
            case Format.NDJSON:
                await _cut(receiving, pieces, NdjsonCutter())
            case Format.CSV:
                items = OPERATIONS[receiving.job.operation].items
                columns = Columns(known=items.known_column, names=items.columns, renames=renames or {})
                await _cut(receiving, pieces, CsvCutter(columns))

    return feed


def feed_parts(parts: Iterable[bytes]) -> Feed:
    """Parts that are there already."""

    async def feed(receiving: Receiving) -> None:
        await _add(receiving, parts)

    return feed


async def _add(receiving: Receiving, parts: Iterable[bytes]) -> None:
    for part in parts:
        await receiving.add(part)


async def _cut(receiving: Receiving, pieces: AsyncIterator[bytes], cutter: CsvCutter | NdjsonCutter) -> None:
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
            elif job.dry_run:
                await api.ctx.queue.ring_dry_run()
            else:
                await api.ctx.queue.ring_work(min(job.parallel, -(-total // CHUNK_ITEMS)))
