"""Stream the item errors or the results of a job as a CSV or NDJSON file, in constant memory."""

import csv
import io
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Any

from aiohttp import web

from api.http.context import API, STREAMING, stream_headers
from api.http.job_view import result_view
from api.http.memory import SHARE
from api.results.corrections import as_line, as_row, columns_of
from api.results.kept_rows import KeptFile, KeptRow, item_of, kept_page
from schemas.formats.csv_layout import CsvLayout
from schemas.ids import AccountId, JobId, show_job_id
from schemas.item_errors import VERDICT, ItemError
from schemas.items.properties import Definitions
from schemas.wire.jobs import ResultView
from schemas.wire.query_models import ResultsQuery
from storage.entities import properties
from storage.pipeline import jobs, results
from storage.pipeline.results import ResultRow

# The rule of OWASP on CSV injection. Texts such as +4930… and -5 are left alone: they are only numbers.
_FORMULA = re.compile(r"\s*(?:[=@\uff1d\uff20]|[+\uff0b\uff0d-](?![\d ().+-]*\Z))|[\t\r\n]")
DOWNLOAD_BYTES = 2 * 1024**2  # of a download in memory, at most: a page as rows, and as text

# Returns the lines after an index of an item, and the index of the last of them; None: there are no more.
Page = Callable[[int], Awaitable[tuple[str, int] | None]]


class Media(StrEnum):
    """The content types of a list of results or errors."""

    JSON = "application/json"
    CSV = "text/csv"
    NDJSON = "application/x-ndjson"


def wanted_media(request: web.Request, query: ResultsQuery) -> Media:
    """Return the content type that `format` asks for, or else the one that the Accept header names first.

    JSON if the header names none of them.
    """
    if query.format is not None:
        return Media[query.format.upper()]
    accept = request.headers.get("Accept", "").lower()
    named = [media for media in Media if media.value in accept]
    return min(named, key=lambda media: accept.index(media.value), default=Media.JSON)


async def stream_errors(
    request: web.Request, account_id: AccountId, job_id: JobId, media: Media, query: ResultsQuery
) -> web.StreamResponse:
    """Stream each failed item as it was sent, with `error_code` and `error_message`."""
    pool = request.app[API].ctx.pool
    shape = await jobs.shape_of(pool, account_id, job_id)
    operation, layout = jobs.known_operation(shape), shape.layout
    definitions = Definitions(await properties.definitions(pool, account_id))
    columns = columns_of(operation, layout)
    kept = KeptFile(layout) if shape.keeps and layout else None
    row = _writer(query, kept)

    def line(error: ItemError) -> str:
        if media is Media.NDJSON:
            return _line(as_line(error, operation, layout, definitions))
        return row(kept.error(error) if kept else as_row(error, operation, columns, layout))

    async def page(after: int) -> tuple[str, int] | None:
        found, _ = await results.errors(pool, account_id, job_id, after, results.ERRORS_A_READ)
        return ("".join(map(line, found)), found[-1].index) if found else None

    name = f"{show_job_id(job_id)}-errors"
    return await _stream(
        request, media, page, name, _mark(query) + row(kept.header if kept else [*columns, *VERDICT])
    )


async def stream_results(
    request: web.Request, account_id: AccountId, job_id: JobId, media: Media, query: ResultsQuery
) -> web.StreamResponse:
    """Stream the result of every item, one per line; with its row, if the job keeps it."""
    pool = request.app[API].ctx.pool
    shape = await jobs.shape_of(pool, account_id, job_id)
    fields = list(ResultView.model_fields)
    name = f"{show_job_id(job_id)}-results"
    if shape.keeps and (shape.layout or media is Media.NDJSON):
        return await _stream_kept(request, account_id, job_id, media, shape.layout, query)
    row = _writer(query)

    def line(result: ResultRow) -> str:
        view = result_view(result)
        if media is Media.NDJSON:
            return view.model_dump_json() + "\n"
        return row(_cell(getattr(view, field)) for field in fields)

    async def page(after: int) -> tuple[str, int] | None:
        found = await results.result_page(pool, account_id, job_id, after, chunks=1)
        return ("".join(map(line, found)), found[-1].index) if found else None

    return await _stream(request, media, page, name, _mark(query) + row(fields))


async def _stream_kept(
    request: web.Request,
    account_id: AccountId,
    job_id: JobId,
    media: Media,
    layout: CsvLayout | None,
    query: ResultsQuery,
) -> web.StreamResponse:
    """Stream the rows of a job that keeps them, each with its result."""
    pool = request.app[API].ctx.pool
    kept = KeptFile(layout) if layout else None
    row = _writer(query, kept)
    whole = layout.whole() if layout else None

    def line(found: KeptRow) -> str:
        if kept and media is Media.CSV:
            return row(kept.row(found))
        return _line({**result_view(found.result).model_dump(), "item": item_of(found, whole)})

    async def page(after: int) -> tuple[str, int] | None:
        found = await kept_page(pool, account_id, job_id, after, layout)
        return ("".join(map(line, found)), found[-1].result.index) if found else None

    name = f"{show_job_id(job_id)}-results"
    return await _stream(request, media, page, name, _mark(query) + row(kept.header) if kept else "")


async def _stream(
    request: web.Request, media: Media, page: Page, name: str, header_row: str
) -> web.StreamResponse:
    """Stream pages as a file. Only the text of one is in memory while the client does not read."""
    request[SHARE].reach(DOWNLOAD_BYTES)
    file_name = f"{name}.{media.name.lower()}"
    response = web.StreamResponse(
        headers={
            "Content-Type": f"{media.value}; charset=utf-8",
            "Content-Disposition": f'attachment; filename="{file_name}"',
            **stream_headers(request),
        }
    )
    request[STREAMING] = True
    await response.prepare(request)
    if request.method == "HEAD":
        return response  # aiohttp would send what is written
    text, after = header_row if media is Media.CSV else "", -1
    pages = request.app[API].pages
    while True:
        async with pages:
            found = await page(after)
        if found is None:
            break
        lines, after = found
        await response.write((text + lines).encode("utf-8", "backslashreplace"))
        text = ""
        del found, lines
    await response.write(text.encode())
    await response.write_eof()
    return response


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _mark(query: ResultsQuery) -> str:
    return "\ufeff" if query.bom else ""


def _writer(query: ResultsQuery, kept: KeptFile | None = None) -> Callable[[Iterable[Any]], str]:
    """Return the function that writes a row; those of a kept file have its delimiter."""
    delimiter = kept.delimiter if kept else ","

    def row(cells: Iterable[Any]) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=delimiter).writerow(cells)
        return buffer.getvalue()

    return (lambda cells: row(map(_harmless, cells))) if query.formulas == "escape" else row


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
