"""Turn a complete upload into exactly one job, also after repeated requests and crashes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial

from aiohttp import web

from api.accept.accept import accept_staged, respond_again
from api.accept.body import RequestBody
from api.accept.parameters import NativeRequest
from api.accept.upload import Staged
from api.http.context import ACCOUNT, API
from api.http.waiting import wanted_wait
from api.resumable.bulk_request import bulk_request_for, job_for
from api.resumable.refusals import is_final, restored, stored
from api.resumable.upload_fields import COMPLETE, shown_complete
from api.resumable.upload_view import on_error
from schemas.errors import BulklaneError, Conflict, NotAcceptable, NotFound, UploadProcessing
from storage.pipeline.uploads import IdempotencyKeyTaken, NewJob
from storage.resumable import attempts, resumable_uploads, upload_pieces
from storage.resumable.attempts import Begun
from storage.resumable.resumable_uploads import StagedUpload

PATIENCE_SECONDS = 20.0  # of a request for the job that another request makes; proxies wait for longer
LOOK_SECONDS = 0.25


async def respond_with_job(request: web.Request, upload: StagedUpload) -> web.Response:
    """Respond with the job of a complete upload, as the bulk request itself would have been answered.

    Raises the error that the bytes of the upload have, UploadProcessing while another request makes the job,
    and NotFound if the upload is gone.
    """
    seconds = wanted_wait(request, request[ACCOUNT])
    pieces = upload_pieces.read_all(request.app[API].ctx.pool, upload)
    bulk = bulk_request_for(request, upload, pieces)
    if upload.finished_at is None:
        async with ending_upload(request, upload):
            with closing(await bulk.open()) as body:
                job = await job_for(bulk, upload, body.file_name)
                response = await _make(bulk, body, upload, job, seconds)
        if response is not None:
            return _final(response)
        upload = await _again(request, upload)
    return await respond_finished(request, upload, bulk, seconds)


async def respond_finished(
    request: web.Request, upload: StagedUpload, bulk: NativeRequest, seconds: float
) -> web.Response:
    """Respond with the job of a finished upload as it is now; raises the error of one that was refused."""
    on_error(request, **{COMPLETE: shown_complete(True)})
    if upload.refusal is not None:
        raise restored(upload.refused)
    assert upload.job_id is not None
    return _final(await respond_again(bulk, upload.job_id, seconds))


@asynccontextmanager
async def ending_upload(request: web.Request, upload: StagedUpload) -> AsyncIterator[None]:
    """End the upload if the body raises an error that would come again."""
    try:
        yield
    except BulklaneError as error:
        if is_final(error):
            await refuse(request, upload, error)
        raise


async def refuse(request: web.Request, upload: StagedUpload, error: BulklaneError) -> None:
    """End an upload that cannot become a job, unless these are not its bytes: a newer request took over."""
    settings = request.app[API].ctx.settings
    if await resumable_uploads.refuse(
        request.app[API].ctx.pool, upload, stored(error), keep_seconds=settings.keep_uploads_seconds
    ):
        on_error(request, **{COMPLETE: shown_complete(True)})


async def _make(
    bulk: NativeRequest, body: RequestBody, upload: StagedUpload, job: NewJob, seconds: float
) -> web.Response | None:
    """Make the job, or wait for the request that makes it. None: the upload is finished, or gone.

    Raises UploadProcessing if the other request takes longer.
    """
    keep_seconds = bulk.api.ctx.settings.keep_uploads_seconds
    begun = await _begin(bulk, upload, job, keep_seconds)
    if begun is Begun.ENDED:
        return None
    finish = partial(
        resumable_uploads.finish,
        account_id=upload.account_id,
        upload_id=upload.id,
        job_id=job.id,
        keep_seconds=keep_seconds,
    )
    try:
        return await accept_staged(bulk, body, job, Staged(finish=finish, size=upload.arrived), seconds)
    except Conflict:  # this process was stopped, and another one has replaced its attempt
        if (await _again(bulk.request, upload)).finished_at is None:
            raise UploadProcessing("the job of this upload is being made: send the request again") from None
        return None


async def _begin(bulk: NativeRequest, upload: StagedUpload, job: NewJob, keep_seconds: int) -> Begun:
    """Begin an attempt, when none of another request runs. Raises UploadProcessing, NotAcceptable."""
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    try:
        while True:
            begun = await attempts.begin(bulk.api.ctx.pool, upload, job, keep_seconds=keep_seconds)
            if begun is not Begun.RUNNING:
                return begun
            if clock() > until or bulk.api.ended.closing:
                raise UploadProcessing("the job of this upload is being made: send the request again")
            await asyncio.sleep(LOOK_SECONDS)
    except IdempotencyKeyTaken:
        raise NotAcceptable(
            "the Idempotency-Key of this upload was used for another request meanwhile: create a new upload",
            code="idempotency_key_reuse",
            param="Idempotency-Key",
        ) from None


async def _again(request: web.Request, upload: StagedUpload) -> StagedUpload:
    found = await resumable_uploads.get(request.app[API].ctx.pool, upload.account_id, upload.id)
    if found is None:
        raise NotFound("the upload was deleted while its job was made", code="unknown_upload")
    return found


def _final(response: web.Response) -> web.Response:
    response.headers[COMPLETE] = shown_complete(True)
    return response
