"""Create an upload by a bulk request with the header Upload-Complete, and take what it already contains."""

from collections.abc import AsyncIterator
from contextlib import closing

from aiohttp import web

from api.accept.idempotency import HEADER, find_earlier, read_key
from api.accept.room import check_number, check_room
from api.http.context import ACCOUNT, API
from api.http.responses import made
from api.resumable.appending import append_content
from api.resumable.bulk_request import bulk_request_of, describing, job_for
from api.resumable.conversion import respond_with_job
from api.resumable.interim import send_interim
from api.resumable.upload_fields import COMPLETE, LIMIT, declared_length, shown_complete
from api.resumable.upload_view import limit_of, location_of, max_size, on_error, state_fields, upload_view
from schemas.errors import BodyTooLarge, NotAcceptable, NotFound, UnsupportedFormat
from storage.resumable import resumable_uploads
from storage.resumable.resumable_uploads import StagedUpload, UploadKeyTaken


async def create_upload(request: web.Request, operation: str, query: str, *, complete: bool) -> web.Response:
    """Create an upload, or find that of the same Idempotency-Key, and append the content of the request.

    Responds with 201, or if the content is `complete` as the bulk request would have been answered. Raises
    what is wrong with the request before its content is read.
    """
    on_error(request, **{COMPLETE: shown_complete(False)})
    key = read_key(request)
    if key is not None and (earlier := await _earlier(request, key)) is not None:
        return await _go_on(request, _same(earlier, request, operation, query), complete=complete)
    await _check(request, operation, query)
    length = declared_length(
        request.headers, offset=0, complete=complete, content_length=request.content_length
    )
    await _check_limits(request, length)
    settings = request.app[API].ctx.settings
    try:
        upload = await resumable_uploads.create(
            request.app[API].ctx.pool,
            request[ACCOUNT].id,
            operation=operation,
            query=query,
            headers=describing(request),
            length=length,
            idempotency_key=key,
            keep_seconds=settings.keep_uploads_seconds,
        )
    except UploadKeyTaken:  # by a request at the same moment
        assert key is not None
        found = await _earlier(request, key)
        if found is None:
            raise NotFound("the upload of this request was deleted", code="unknown_upload") from None
        return await _go_on(request, _same(found, request, operation, query), complete=complete)
    return await _receive(request, upload, complete=complete)


async def _receive(
    request: web.Request, upload: StagedUpload, *, complete: bool, again: bool = False
) -> web.Response:
    """Take the content. The bytes of a repeated request that have arrived before are skipped."""
    fields = {"Location": location_of(upload), LIMIT: limit_of(request, upload)}
    send_interim(request, fields)
    if not upload.complete:
        await append_content(request, upload, complete=complete, skip=upload.arrived)
    found = await resumable_uploads.get(request.app[API].ctx.pool, upload.account_id, upload.id)
    if found is None:
        raise NotFound("the upload was deleted while its bytes arrived", code="unknown_upload")
    if complete and found.complete:
        return await respond_with_job(request, found)
    response = made(upload_view(found), location_of(found))
    response.headers.update(state_fields(request, found))
    if again:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def _go_on(request: web.Request, upload: StagedUpload, *, complete: bool) -> web.Response:
    """Respond to the repetition of a request that created this upload; raises why that was refused."""
    if upload.finished_at is not None and (complete or upload.refusal is not None):
        return await respond_with_job(request, upload)
    found = await resumable_uploads.take_over(request.app[API].ctx.pool, upload.account_id, upload.id)
    if found is None:
        raise NotFound("the upload of this request was deleted", code="unknown_upload")
    return await _receive(request, found, complete=complete, again=True)


async def _earlier(request: web.Request, key: str) -> StagedUpload | None:
    """Return the upload with this key. Raises NotAcceptable if a request that was no upload has used it."""
    api, account_id = request.app[API], request[ACCOUNT].id
    upload = await resumable_uploads.by_key(api.ctx.pool, account_id, key)
    if upload is None and await find_earlier(api, account_id, key) is not None:
        raise _reused(key)
    return upload


def _same(upload: StagedUpload, request: web.Request, operation: str, query: str) -> StagedUpload:
    """Return the earlier upload; raises NotAcceptable if this request describes another one."""
    ours = {**describing(request), HEADER: None}  # the same key can be written in two ways
    if (upload.operation, upload.query, {**upload.described, HEADER: None}) != (operation, query, ours):
        raise _reused(request.headers[HEADER])
    return upload


def _reused(key: str) -> NotAcceptable:
    return NotAcceptable(
        f"the {HEADER} {key!r} was used for another request: use a new key for a new upload",
        code="idempotency_key_reuse",
        param=HEADER,
    )


async def _check(request: web.Request, operation: str, query: str) -> None:
    """Check operation, parameters and headers. Raises NotFound, NotAcceptable, UnsupportedFormat."""
    if request.content_type.startswith("multipart/"):
        raise UnsupportedFormat(
            "a form cannot be resumed: send the file itself, with its own Content-Type", param="Content-Type"
        )
    bulk = bulk_request_of(request, operation, query, describing(request), _nothing())
    with closing(await bulk.open()) as body:
        await job_for(bulk, None, body.file_name)


async def _check_limits(request: web.Request, length: int | None) -> None:
    """Raise BodyTooLarge for a length that no upload may have, RateLimited without room for it."""
    api, account_id = request.app[API], request[ACCOUNT].id
    most = max_size(api.ctx.settings, request.headers.get("Content-Type"))
    if length is not None and length > most:
        on_error(request, **{LIMIT: f"max-size={most}"})
        raise BodyTooLarge(f"the upload is larger than {most} bytes: send it in several uploads")
    await check_number(api, account_id)
    await check_room(api, account_id, length or 0)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
