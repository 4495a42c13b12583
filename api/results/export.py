"""Errors and results as files: CSV or NDJSON, streamed, whatever their number."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from enum import StrEnum
from typing import Any

from aiohttp import web

from api.http.context import API, STREAMING, stream_headers
from api.http.job_view import result_view
from api.results.corrections import as_line, as_row, columns_of
from schemas.ids import AccountId, JobId
from schemas.item_errors import VERDICT, ItemError
from schemas.items.properties import Definitions
from schemas.wire.jobs import ResultView
from storage.entities import properties
from storage.pipeline import jobs, results

PAGE = 200  # item errors read at once: each may hold an item of a megabyte
HELD_BYTES = 256 * 1024  # written at once


class Media(StrEnum):
    """What a list can be had as."""

    JSON = "application/json"
    CSV = "text/csv"
    NDJSON = "application/x-ndjson"


def wanted_media(request: web.Request) -> Media:
    """What the Accept header names first; JSON pages where it names none of them."""
    accept = request.headers.get("Accept", "").lower()
    named = [media for media in Media if media.value in accept]
    return min(named, key=lambda media: accept.index(media.value), default=Media.JSON)


async def stream_errors(
    request: web.Request, account_id: AccountId, job_id: JobId, media: Media
) -> web.StreamResponse:
    """Each failed item as it came, with `error_code` and `error_message`: correct it and send it back."""
    pool = request.app[API].ctx.pool
    operation, layout = await jobs.shape_of(pool, account_id, job_id)
    errors = _errors(request, account_id, job_id)
    if media is Media.NDJSON:
        definitions = Definitions(await properties.definitions(pool, account_id))
        lines = (_line(as_line(error, operation, layout, definitions)) async for error in errors)
        return await _stream(request, media, lines)
    columns = columns_of(operation, layout)
    head = _row([*columns, *VERDICT])
    rows = (_row(as_row(error, operation, columns, layout)) async for error in errors)
    return await _stream(request, media, rows, head)


async def stream_results(
    request: web.Request, account_id: AccountId, job_id: JobId, media: Media
) -> web.StreamResponse:
    """The answer of every item, a line each."""
    found = results.results(request.app[API].ctx.pool, account_id, job_id)
    views = (result_view(result) async for result in found)
    if media is Media.NDJSON:
        return await _stream(request, media, (view.model_dump_json() + "\n" async for view in views))
    fields = list(ResultView.model_fields)
    rows = (_row(getattr(view, field) for field in fields) async for view in views)
    return await _stream(request, media, rows, _row(fields))


async def _errors(request: web.Request, account_id: AccountId, job_id: JobId) -> AsyncIterator[ItemError]:
    after, more = -1, True
    while more:
        page, more = await results.errors(request.app[API].ctx.pool, account_id, job_id, after, PAGE)
        for error in page:
            yield error
            after = error.index


async def _stream(
    request: web.Request, media: Media, lines: AsyncIterator[str], head: str = ""
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": f"{media.value}; charset=utf-8", **stream_headers(request)}
    )
    request[STREAMING] = True
    await response.prepare(request)
    held = bytearray(head.encode())
    async for line in lines:
        held += line.encode("utf-8", "backslashreplace")
        if len(held) >= HELD_BYTES:
            await response.write(bytes(held))
            held.clear()
    await response.write(bytes(held))
    await response.write_eof()
    return response


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _row(cells: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
