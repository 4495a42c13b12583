"""/v1/uploads: bulk requests whose bytes arrive in several requests."""

from aiohttp import web

from api.accept.parameters import RENAME
from api.endpoint import endpoint
from api.http.context import API, scope
from api.http.responses import deleted, page_of, shown
from api.http.validation import all_of, parse_query, read_query
from api.openapi.describe import describe
from api.resumable.append_request import append_to_upload
from api.resumable.creation import create_upload
from api.resumable.digests import digest_fields
from api.resumable.upload_fields import (
    COMPLETE,
    LIMIT,
    PARTIAL,
    declared_complete,
    shown_complete,
    shown_limit,
)
from api.resumable.upload_view import UPLOAD, UploadIdInPath, on_error, state_fields, upload_view
from schemas.errors import NotAcceptable
from schemas.wire.base import Listing
from schemas.wire.jobs import Job
from schemas.wire.query_models import NoQuery
from schemas.wire.uploads import NewUploadQuery, UploadsQuery, UploadView
from storage.resumable import attempts, resumable_uploads

FRESH = {"Cache-Control": "no-store"}  # an offset that a cache returns would be wrong


@describe(
    query=NewUploadQuery,
    renames=True,
    files=("application/x-ndjson", "text/csv"),
    headers=(COMPLETE, "Upload-Length", "Upload-Draft-Interop-Version"),
    responses={201: UploadView, 200: Job, 202: Job, 207: Job},
    errors=(404,),
)
async def start_upload(request: web.Request) -> web.Response:
    """Create a resumable upload.

    The same as `POST /v1/bulk/{operation}` with the header `Upload-Complete`: the content is the beginning of
    the body of a bulk request, or all of it (`?1`), or empty. Content-Type and Content-Encoding describe the
    whole body.
    """
    on_error(request, **{COMPLETE: shown_complete(False)})
    complete, operations = declared_complete(request.headers), request.query.getall("operation", [])
    if complete is None or len(operations) != 1:
        _, problems = parse_query(request.query, NewUploadQuery, free=f"{RENAME}<column>")
        if complete is None:
            message = f"{COMPLETE} is missing: send ?0, or ?1 if this request has the whole body"
            problems.append(NotAcceptable(message, code="missing_parameter", param=COMPLETE))
        raise all_of(problems)
    query = request.rel_url.without_query_params("operation").raw_query_string
    return await create_upload(request, operations[0], query, complete=complete)


@endpoint(responses={200: Listing[UploadView]})
async def list_uploads(request: web.Request, query: UploadsQuery) -> web.Response:
    """List the unfinished uploads, the newest first."""
    found = await resumable_uploads.page(*scope(request), before=query.cursor, size=query.limit + 1)
    return page_of([upload_view(upload) for upload in found], query.limit, lambda view: view.id)


@endpoint(responses={200: UploadView})
async def get_upload(request: web.Request, upload_id: UploadIdInPath) -> web.Response:
    """Get an upload: its offset, and its job when that is accepted.

    It ends a request that is still appending, so that the offset stays the one that was returned. With
    `Want-Repr-Digest: sha-256=10` the response has the digest of what has arrived.
    """
    upload = UPLOAD.found(request, await resumable_uploads.take_over(*scope(request), upload_id))
    response = shown(upload_view(upload))
    response.headers.update(FRESH | state_fields(request, upload) | await digest_fields(request, upload))
    return response


@describe(
    name="append_to_upload",
    files=(PARTIAL,),
    headers=(COMPLETE, "Upload-Offset", "Upload-Length", "Upload-Draft-Interop-Version"),
    prefers=True,
    responses={204: None, 200: Job, 202: Job, 207: Job},
    errors=(400, 409, 413, 415, 422),
)
async def append(request: web.Request) -> web.Response:
    """Append to an upload: 204, or with the last bytes the response of the bulk request.

    The newest request is the only one that appends. Requests are not limited by number.
    """
    upload_id = await UPLOAD.in_path(request)
    read_query(request, NoQuery)
    return await append_to_upload(request, upload_id)


@endpoint(responses={204: None}, errors=(409,))
async def delete_upload(request: web.Request, upload_id: UploadIdInPath) -> web.Response:
    """Give an upload up, and delete its bytes; 409 while its job is being made. An accepted job goes on."""
    return deleted(request, UPLOAD, await attempts.give_up(*scope(request), upload_id))


@describe(hidden=True)
async def show_limits(request: web.Request) -> web.Response:
    """Say what an upload may have, so that a client can ask before it creates one."""
    settings = request.app[API].ctx.settings
    limit = shown_limit(max_size=settings.max_upload_bytes, max_age=settings.keep_uploads_seconds)
    return web.Response(status=204, headers={LIMIT: limit, "Accept-Patch": PARTIAL})
