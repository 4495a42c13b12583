"""The bulk request that an upload stands for: its query and headers, with the bytes that are stored."""

from collections.abc import AsyncIterator

from aiohttp import web
from multidict import CIMultiDict

from api.accept.accept import new_job
from api.accept.idempotency import HEADER
from api.accept.parameters import NativeRequest
from storage.pipeline.uploads import NewJob
from storage.resumable.resumable_uploads import StagedUpload

# What describes the bytes of a bulk request. The others belong to one of the requests of the upload.
DESCRIBING = ("Content-Type", "Content-Encoding", "Content-Disposition", HEADER)


def describing(request: web.Request) -> dict[str, str]:
    """Return the headers of a request that describe the bytes of an upload.

    A byte that is not UTF-8, as in an old form of a file name, is U+FFFD in them, as in the name of the file.
    """
    given = {name: request.headers[name] for name in DESCRIBING if name in request.headers}
    return {
        name: value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        for name, value in given.items()
    }


def bulk_request_of(
    request: web.Request, operation: str, query: str, headers: dict[str, str], stored: AsyncIterator[bytes]
) -> NativeRequest:
    """Return the bulk request of an upload, on the connection of a request about it."""
    described = request.clone(
        method="POST",
        rel_url=f"/v1/bulk/{operation}" + (f"?{query}" if query else ""),
        headers=CIMultiDict(headers),
    )
    assert isinstance(described, web.Request)
    return NativeRequest(described, operation, stored)


def bulk_request_for(
    request: web.Request, upload: StagedUpload, stored: AsyncIterator[bytes]
) -> NativeRequest:
    """Return the bulk request of a stored upload."""
    return bulk_request_of(request, upload.operation, upload.query, upload.described, stored)


async def job_for(bulk: NativeRequest, upload: StagedUpload | None, file_name: str | None) -> NewJob:
    """Plan the job of an upload. Raises NotFound, NotAcceptable (every problem)."""
    key = upload.idempotency_key if upload else None
    return new_job(bulk.request, await bulk.plan(), key, file_name)
