"""A resumable upload as a client reads it: its id in a path, its header fields, its JSON."""

from datetime import UTC, datetime
from typing import Annotated

from aiohttp import web

from api.http.context import API, ERROR_HEADERS
from api.http.path_id import PathId
from api.resumable.upload_fields import COMPLETE, LENGTH, LIMIT, OFFSET, shown_complete, shown_limit
from schemas.errors import UnsupportedFormat
from schemas.formats.content_type import Format, format_for
from schemas.formats.file_name import file_name_in
from schemas.ids import UploadId, read_upload_id, show_job_id, show_upload_id
from schemas.operations import Operation
from schemas.settings import Settings
from schemas.wire.jobs import JobError
from schemas.wire.uploads import UploadView
from storage.resumable.resumable_uploads import StagedUpload

UPLOAD = PathId(name="upload", param="upload_id", read=read_upload_id, code="unknown_upload")
UploadIdInPath = Annotated[UploadId, UPLOAD]


def upload_view(upload: StagedUpload) -> UploadView:
    """Return the view of an upload."""
    refusal = upload.refused
    return UploadView(
        id=show_upload_id(upload.id),
        operation=Operation(upload.operation),
        offset=upload.arrived,
        length=length_of(upload),
        complete=upload.finished_at is not None,
        job_id=show_job_id(upload.accepted_job) if upload.accepted_job else None,
        error=JobError(code=refusal["code"], message=refusal["message"]) if refusal else None,
        content_type=upload.content_type,
        file_name=file_name_in(upload.described.get("Content-Disposition")),
        created_at=upload.created_at,
        expires_at=upload.expires_at,
    )


def location_of(upload: StagedUpload) -> str:
    """Return the path of an upload."""
    return f"/v1/uploads/{show_upload_id(upload.id)}"


def length_of(upload: StagedUpload) -> int | None:
    """Return the length of all bytes, if it is known."""
    return upload.arrived if upload.complete else upload.length


def state_fields(request: web.Request, upload: StagedUpload) -> dict[str, str]:
    """Return the header fields that say how an upload stands."""
    length = length_of(upload)
    return {
        OFFSET: str(upload.arrived),
        COMPLETE: shown_complete(upload.finished_at is not None),
        **({} if length is None else {LENGTH: str(length)}),
        LIMIT: limit_of(request, upload),
    }


def limit_of(request: web.Request, upload: StagedUpload) -> str:
    """Return the Upload-Limit of an upload."""
    left = (upload.expires_at - datetime.now(UTC)).total_seconds()
    most = max_size(request.app[API].ctx.settings, upload.content_type)
    return shown_limit(max_size=most, max_age=max(int(left), 0))


def max_size(settings: Settings, content_type: str | None) -> int:
    """Return the most bytes of a representation. A JSON document is read as a whole."""
    try:
        is_whole = format_for(content_type) is Format.JSON
    except UnsupportedFormat:  # its bytes may show that it is a workbook
        is_whole = False
    return settings.max_json_bytes if is_whole else settings.max_upload_bytes


def on_error(request: web.Request, **fields: str) -> None:
    """Set header fields that an error response of this request has."""
    request[ERROR_HEADERS] = {**request.get(ERROR_HEADERS, {}), **fields}
