"""POST /v1/bulk/{operation}: the native endpoint, for a body of any size."""

from aiohttp import web

from api.accept.accept import accept_request
from api.accept.parameters import NativeRequest
from api.openapi.describe import describe
from api.openapi.native import described
from api.resumable.creation import create_upload
from api.resumable.upload_fields import declared_complete


@describe(name="bulk", **described())
async def submit(request: web.Request) -> web.Response:
    """Accept a job: 202 with the job; with `Prefer: wait=S` 200 or 207 if it ends in time."""
    operation = request.match_info["operation"]
    if (complete := declared_complete(request.headers)) is not None:
        return await create_upload(request, operation, request.rel_url.raw_query_string, complete=complete)
    return await accept_request(NativeRequest(request, operation))
