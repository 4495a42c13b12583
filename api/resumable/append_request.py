"""PATCH of an upload: append to it, and with the last bytes respond as the bulk request itself."""

from dataclasses import replace

from aiohttp import web

from api.http.context import API, PROBLEM, scope
from api.resumable.appending import append_content, is_empty
from api.resumable.conversion import respond_with_job
from api.resumable.upload_fields import (
    COMPLETE,
    LENGTH,
    OFFSET,
    PARTIAL,
    declared_complete,
    declared_length,
    declared_number,
    shown_complete,
)
from api.resumable.upload_view import UPLOAD, on_error, state_fields
from schemas.errors import Conflict, InconsistentLength, NotAcceptable, UnsupportedFormat
from schemas.ids import UploadId
from storage.resumable import resumable_uploads
from storage.resumable.resumable_uploads import StagedUpload

PROBLEMS = "https://iana.org/assignments/http-problem-types#"


async def append_to_upload(request: web.Request, upload_id: UploadId) -> web.Response:
    """Append the content of a request, which takes the upload over from any earlier one.

    Raises NotFound, UnsupportedFormat, NotAcceptable for a missing field, Conflict for another offset,
    InconsistentLength, and what `append_content` and `respond_with_job` raise.
    """
    offset, complete = _read_fields(request)
    pool = request.app[API].ctx.pool
    upload = UPLOAD.found(request, await resumable_uploads.take_over(*scope(request), upload_id))
    if offset != upload.arrived:
        raise _mismatch(request, upload, offset)
    if upload.complete or upload.finished_at is not None:
        return await _respond_complete(request, upload)
    upload = await _with_length(request, upload, complete=complete)
    await append_content(request, upload, complete=complete)
    upload = UPLOAD.found(request, await resumable_uploads.get(pool, upload.account_id, upload.id))
    if upload.complete:
        return await respond_with_job(request, upload)
    return web.Response(status=204, headers=state_fields(request, upload))


def _read_fields(request: web.Request) -> tuple[int, bool]:
    """Return offset and completeness of an append. Raises UnsupportedFormat, NotAcceptable."""
    on_error(request, **{COMPLETE: shown_complete(False)})
    if request.content_type != PARTIAL:
        on_error(request, **{"Accept-Patch": PARTIAL})
        raise UnsupportedFormat(
            f"an upload is appended to with 'Content-Type: {PARTIAL}': declare it", param="Content-Type"
        )
    offset = declared_number(request.headers, OFFSET)
    complete = declared_complete(request.headers)
    if offset is None:
        raise _missing(OFFSET, "the number of the first byte, as HEAD returns it")
    if complete is None:
        raise _missing(COMPLETE, "?1 if the last byte is in this request, or else ?0")
    return offset, complete


def _missing(name: str, value: str) -> NotAcceptable:
    message = f"{name} is missing, or its value is not valid: send {value}"
    return NotAcceptable(message, code="missing_parameter", param=name)


def _mismatch(request: web.Request, upload: StagedUpload, offset: int) -> Conflict:
    on_error(request, **{**state_fields(request, upload), COMPLETE: shown_complete(False)})
    request[PROBLEM] = {
        "type": f"{PROBLEMS}mismatching-upload-offset",
        "title": "offset from request does not match offset of resource",
        "expected-offset": upload.arrived,
        "provided-offset": offset,
    }
    return Conflict(
        f"the upload has {upload.arrived} bytes, and the request begins at {offset}: "
        f"send the bytes from {upload.arrived} on",
        code="mismatching_upload_offset",
        param=OFFSET,
    )


async def _with_length(request: web.Request, upload: StagedUpload, *, complete: bool) -> StagedUpload:
    """Return the upload with the length that the request declares. Raises InconsistentLength.

    The token stays that of this request, also if a newer one has taken over meanwhile.
    """
    length = declared_length(
        request.headers,
        offset=upload.arrived,
        complete=complete,
        content_length=request.content_length,
    )
    if length is None:
        return upload
    first = await resumable_uploads.declare_length(request.app[API].ctx.pool, upload, length)
    if first is None:
        return upload
    if first != length:
        raise _inconsistent(request, f"the length is {length}, and was {first} before: keep to one of them")
    return replace(upload, length=first)


async def _respond_complete(request: web.Request, upload: StagedUpload) -> web.Response:
    """Respond again with the job of an upload whose bytes are all there, or raise why it was refused.

    Raises InconsistentLength if there are more bytes.
    """
    if upload.refusal is None and not await is_empty(request):
        message = f"the upload is complete with {upload.arrived} bytes: send a request without content"
        raise _inconsistent(request, message)
    return await respond_with_job(request, upload)


def _inconsistent(request: web.Request, message: str) -> InconsistentLength:
    request[PROBLEM] = {
        "type": f"{PROBLEMS}inconsistent-upload-length",
        "title": "inconsistent length values for upload",
    }
    return InconsistentLength(message, param=LENGTH)
