"""The attempts to make the job of a complete upload: one at a time, and one that succeeds.

An attempt is a job in the state `receiving`, whose lease its process renews. A newer attempt begins only when
the lease has expired, and first fails the job of the earlier one under its lock. A process that was only
stopped can then not accept that job any more. So an upload makes one job, also when a process dies or a
request arrives late.
"""

from enum import Enum, auto

from schemas.errors import Conflict
from schemas.ids import AccountId, JobId, UploadId, show_job_id
from storage.failpoints import reach
from storage.pipeline import uploads
from storage.pipeline.uploads import NewJob
from storage.postgres.pool import Conn, Pool
from storage.postgres.transactions import transaction
from storage.resumable import resumable_uploads
from storage.resumable.resumable_uploads import QUERIES, StagedUpload

REPLACED = ("upload_incomplete", "the process that made this job has died: another one makes it")


class Begun(Enum):
    """What became of the wish to begin an attempt."""

    OURS = auto()  # the caller makes the job
    RUNNING = auto()  # another request does, at this moment
    ENDED = auto()  # the upload is finished, or gone: read it again


async def begin(pool: Pool, upload: StagedUpload, job: NewJob, *, keep_seconds: int) -> Begun:
    """Begin an attempt with a new job, which is stored as `receiving`, unless another one runs or succeeded.

    Raises IdempotencyKeyTaken if another request uses the key of the job.
    """
    async with transaction(pool, long_wait=True) as conn:
        row = await QUERIES.lock(conn, account_id=upload.account_id, id=upload.id)
        if row is None or row["finished_at"] is not None:
            return Begun.ENDED
        earlier = row["job_id"]
        if earlier and (other := await _of_other(conn, upload, earlier, keep_seconds)):
            return other
        await QUERIES.begin(
            conn, account_id=upload.account_id, id=upload.id, job_id=job.id, keep_seconds=keep_seconds
        )
        await uploads.open_job(conn, job)
        reach("upload.attempt")
    return Begun.OURS


async def give_up(pool: Pool, account_id: AccountId, upload_id: UploadId) -> bool:
    """Let an upload expire now; return False if there is none. Raises Conflict while its job is made."""
    async with transaction(pool) as conn:
        row = await QUERIES.lock(conn, account_id=account_id, id=upload_id)
        if row is None:
            return False
        if row["finished_at"] is None and row["job_id"] is not None:
            job = await QUERIES.job_of(conn, account_id=account_id, job_id=row["job_id"])
            if job is not None and job["live"]:
                raise Conflict(
                    f"the job of this upload is being made: cancel {show_job_id(row['job_id'])}",
                    code="upload_processing",
                )
        return await resumable_uploads.cancel(conn, account_id, upload_id)


async def _of_other(conn: Conn, upload: StagedUpload, job_id: JobId, keep_seconds: int) -> Begun | None:
    """Return what the earlier attempt came to; None: it has failed, and left nothing."""
    account_id = upload.account_id
    job = await QUERIES.job_of(conn, account_id=account_id, job_id=job_id)
    if job is not None and job["live"]:
        return Begun.RUNNING
    if job is not None and not job["final"]:
        if await uploads.fail(conn, account_id, job_id, *REPLACED):
            job = None  # its process cannot accept it any more
        else:
            job = await QUERIES.job_of(conn, account_id=account_id, job_id=job_id)
    if job is None or not job["final"]:
        await QUERIES.forget_attempt(conn, account_id=account_id, job_id=job_id)
        return None
    await QUERIES.finish(
        conn, account_id=account_id, id=upload.id, job_id=job_id, keep_seconds=keep_seconds
    )  # a client has cancelled the job while it was received
    return Begun.ENDED
