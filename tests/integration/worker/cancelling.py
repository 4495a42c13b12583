"""Helpers for tests of cancelled jobs: cancel a job, make jobs of several parts, read outcomes."""

from schemas.formats.content_type import Format
from schemas.ids import AccountId, JobId, new_job_id
from schemas.operations import JobParams, Operation
from storage.context import Context
from storage.pipeline import cancellation, uploads
from storage.pipeline.uploads import NewJob, Received
from tests.factories import phone
from tests.workers import results_of, waiting_backends
from worker.finish import finish_if_last
from worker.split import split_job


async def cancel(ctx: Context, account_id: AccountId, job_id: JobId) -> None:
    """Cancel a job, and do the work of the bells that the api rings."""
    standing = await cancellation.cancel(ctx.pool, account_id, job_id)
    assert standing is not None
    if standing.unsplit:
        await split_job(ctx, account_id, job_id)
    await finish_if_last(ctx, account_id, job_id)


async def outcomes_of(ctx: Context, account_id: AccountId, job_id: JobId) -> list[str]:
    """Return the outcomes of a job as words. Assert that there is one for each index from 0."""
    results = await results_of(ctx, account_id, job_id)
    assert [result.index for result in results] == list(range(len(results)))
    return [result.outcome.word for result in results]


async def make_parts(ctx: Context, account_id: AccountId, parts: int, items: int) -> JobId:
    """Make an accepted job of several parts that is not split yet."""
    job = new_job(account_id)
    await uploads.open_job(ctx.pool, job)
    size = 0
    for part in range(parts):
        lines = (b'{"phone": "%s"}' % phone(part * items + n).encode() for n in range(items))
        body = b"\n".join(lines)
        await uploads.add_part(ctx.pool, account_id, job.id, part, body)
        size += len(body)
    received = Received(layout=None, parallel=4, parts=parts, size=size, total=None)
    async with ctx.pool.acquire() as conn, conn.transaction():
        assert await uploads.accept(conn, job, received)
    return job.id


def new_job(account_id: AccountId) -> NewJob:
    """Return a new job whose body has not arrived yet."""
    return NewJob(
        account_id=account_id,
        id=new_job_id(),
        operation=Operation.CONTACTS_UPSERT,
        stream="contacts",
        format=Format.NDJSON,
        params=JobParams(),
        parallel=4,
        request_id="req_test",
        idempotency_key="key",
    )


async def waiting(ctx: Context, count: int) -> bool:
    """Return whether at least `count` backends wait for a lock."""
    return len(await waiting_backends(ctx)) >= count
