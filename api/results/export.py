"""Stream the item errors or the results of a job as a CSV or NDJSON file, in constant memory."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from enum import StrEnum
from typing import Any

from aiohttp import web

from api.http.context import API, STREAMING, stream_headers
from api.http.job_view import result_view
from api.results.corrections import as_line, as_row, columns_of
from schemas.ids import AccountId, JobId
from schemas.item_errors import VERDICT
from schemas.items.properties import Definitions
from schemas.wire.jobs import ResultView
from schemas.wire.query_models import ResultsQuery
from storage.entities import properties
from storage.pipeline import jobs, results

# The rule of OWASP on CSV injection. Texts such as +4930… and -5 are left alone: they are only numbers.
_FORMULA = re.compile(r"\s*(?:[=@\uff1d\uff20]|[+\uff0b\uff0d-](?![\d ().+-]*\Z))|[\t\r\n]")
HELD_BYTES = 256 * 1024  # bytes to collect for one write


class Media(StrEnum):
    """The content types of a list of results or errors."""

    JSON = "application/json"
    CSV = "text/csv"
    NDJSON = "application/x-ndjson"


def wanted_media(request: web.Request) -> Media:
    """Return the content type that the Accept header names first; JSON if it names none of them."""
    accept = request.headers.get("Accept", "").lower()
    named = [media for media in Media if media.value in accept]
    return min(named, key=lambda media: accept.index(media.value), default=Media.JSON)


async def stream_errors(
    request: web.Request, account_id: AccountId, job_id: JobId, media: Media, query: ResultsQuery
) -> web.StreamResponse:
    """Stream each failed item as it was sent, with `error_code` and `error_message`."""
    pool = request.app[API].ctx.pool
    operation, layout = await jobs.shape_of(pool, account_id, job_id)
    pages = results.error_pages(pool, account_id, job_id)
    errors = (error async for page in pages for error in page)
    if media is Media.NDJSON:
        definitions = Definitions(await properties.definitions(pool, account_id))
        lines = (_line(as_line(error, operation, layout, definitions)) async for error in errors)
        return await _stream(request, media, lines)
    columns = columns_of(operation, layout)
    head = _row([*columns, *VERDICT])
    row = _writer(query)
    rows = (row(as_row(error, operation, columns, layout)) async for error in errors)
    return await _stream(request, media, rows, head)


async def stream_results(
    request: web.Request, account_id: AccountId, job_id: JobId, media: Media, query: ResultsQuery
) -> web.StreamResponse:
    """Stream the result of every item, one per line."""
    found = results.results(request.app[API].ctx.pool, account_id, job_id)
    views = (result_view(result) async for result in found)
    if media is Media.NDJSON:
        return await _stream(request, media, (view.model_dump_json() + "\n" async for view in views))
    fields = list(ResultView.model_fields)
    row = _writer(query)
    rows = (row(getattr(view, field) for field in fields) async for view in views)
    return await _stream(request, media, rows, _row(fields))


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


def _writer(query: ResultsQuery) -> Callable[[Iterable[Any]], str]:
    return _row_without_formulas if query.formulas == "escape" else _row


def _row_without_formulas(cells: Iterable[Any]) -> str:
    return _row(f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in cells)


def _row(cells: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
