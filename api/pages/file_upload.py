"""The page that uploads a file: choose it, give its columns fields, check it with a dry run, send it.

The browser sends the file to `POST /v1/bulk/{operation}`, like any client. This page reads its first bytes.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from api.html.render import page
from api.html.session import check_script
from api.http.context import ACCOUNT, API, scope
from api.http.job_view import job_view
from api.http.validation import read_query
from api.openapi.describe import describe
from api.pages.file_beginning import beginning_of
from schemas.errors import BodyTooLarge, InvalidRequest, NotFound
from schemas.formats.content_type import Format
from schemas.ids import read_job_id
from schemas.items.contacts import ECHOES, ITEM_FIELDS, JSON_COLUMNS, NESTED
from schemas.items.references import NAMES
from schemas.operations import BULK_OPERATIONS, CONTACT, OPERATIONS, Operation
from schemas.previews.file_kind import TEXT_BYTES
from schemas.previews.preview import Preview, preview_of
from schemas.settings import Settings
from schemas.wire.bulk_query import MAX_PARALLEL
from schemas.wire.page_queries import PreviewQuery, UploadQuery
from storage.entities import properties
from storage.inspection import chunk_strip
from storage.pipeline import jobs

Groups = Mapping[str, list[tuple[str, str]]]  # options of a select, (value, text), by their heading
CHARSETS = {
    "utf-8": "UTF-8",
    "windows-1252": "Western (Windows-1252)",
    "iso-8859-15": "Western (ISO 8859-15)",
    "macintosh": "Western (Mac Roman)",
    "ibm850": "Western (DOS 850)",
    "windows-1250": "Central European (Windows-1250)",
    "windows-1251": "Cyrillic (Windows-1251)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "windows-1253": "Greek (Windows-1253)",
    "windows-1254": "Turkish (Windows-1254)",
    "windows-1255": "Hebrew (Windows-1255)",
    "windows-1256": "Arabic (Windows-1256)",
    "windows-874": "Thai (Windows-874)",
    "shift_jis": "Japanese (Shift JIS)",
    "euc-jp": "Japanese (EUC-JP)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
    "euc-kr": "Korean (EUC-KR)",
}
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@describe(hidden=True)
async def show_upload(request: web.Request) -> web.Response:
    """Show the form, and the result of a check."""
    check = read_query(request, UploadQuery).check
    settings = request.app[API].ctx.settings
    return page(
        request,
        "upload.html",
        live="/v1/events",
        **(await _checked(request, check) if check else {"job": None}),
        operations={operation: OPERATIONS[operation] for operation in BULK_OPERATIONS},
        taking={name: " ".join(taking(name)) for name in _parameters()},
        preferences=settings.communication_preferences,
        region=request[ACCOUNT].region or "",
        max_parallel=MAX_PARALLEL,
        head_bytes=TEXT_BYTES,
        workbook_bytes=settings.max_workbook_bytes,
    )


@describe(hidden=True)
async def preview_upload(request: web.Request) -> web.Response:
    """Return a part of the page: what the first bytes of a file are, and its columns with proposed fields."""
    check_script(request)
    query = read_query(request, PreviewQuery)
    contact = OPERATIONS[query.operation].items is CONTACT
    own = [row.name for row in await properties.definitions(*scope(request))] if contact else []
    preview, problem = None, None
    try:
        async with beginning_of(request) as (head, book):
            preview = await asyncio.to_thread(
                preview_of,
                head,
                query.operation,
                file_name=query.file_name,
                charset=query.charset,
                whole=len(head) == query.size,
                properties=own,
                book=book,
            )
        _check_size(preview, query.size, request.app[API].ctx.settings)
    except InvalidRequest as error:
        problem = error
    return page(
        request,
        "upload_preview.html",
        preview=preview,
        problem=problem,
        charsets=CHARSETS,
        delimiters=DELIMITERS,
        fields=fields_of(query.operation, own),
        needed=("phone",) if contact else NAMES,
        contact=contact,
    )


async def _checked(request: web.Request, check: str) -> dict[str, Any]:
    """Return the job of a check, and its source; no job if it is no dry run. Raises NotFound."""
    job_id = read_job_id(check)
    row = await jobs.view(*scope(request), job_id) if job_id else None
    if row is None:
        raise NotFound(f"the account has no job {check[:100]!r}", code="unknown_job")
    if job_id is None or not row.dry_run:
        return {"job": None}
    return {"job": job_view(row), "source": await chunk_strip.source(*scope(request), job_id)}


def _parameters() -> Iterable[str]:
    return dict.fromkeys(name for operation in BULK_OPERATIONS for name in OPERATIONS[operation].parameters)


def taking(parameter: str) -> list[Operation]:
    """Return the operations that take a parameter."""
    return [operation for operation in BULK_OPERATIONS if parameter in OPERATIONS[operation].parameters]


def fields_of(operation: Operation, own: Iterable[str]) -> Groups:
    """Return the fields that a column can be given, by their heading."""
    if OPERATIONS[operation].items is not CONTACT:
        return {"The contact": [(name, _title(name)) for name in (*NAMES, "ref")]}
    plain = [field.name for field in ITEM_FIELDS if field.name not in JSON_COLUMNS]
    groups = {"The contact": [(name, _title(name)) for name in (*plain, ECHOES[0])]}
    for name, field in NESTED.items():
        if keys := field.keys:
            groups[_title(name)] = [(f"{name}.{key}", _title(key)) for key in keys]
    groups["Properties"] = [(f"properties.{name}", name) for name in own]
    groups["JSON objects"] = [(name, f"{_title(name)}, as JSON") for name in sorted(JSON_COLUMNS)]
    return {heading: options for heading, options in groups.items() if options}


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _check_size(preview: Preview, size: int, settings: Settings) -> None:
    """Raise BodyTooLarge if the api will refuse the file. The size of a compressed file is not known."""
    if preview.kind.encoding is not None:
        return
    if preview.kind.format is Format.JSON and size > settings.max_json_bytes:
        raise BodyTooLarge(
            f"A JSON file may have {settings.max_json_bytes // 1024**2} MiB. Save it as NDJSON, with one "
            "object on each line. Such a file may be larger."
        )
    if size > settings.max_upload_bytes:
        raise BodyTooLarge(f"A file may have {settings.max_upload_bytes} bytes. Send it in several parts.")
