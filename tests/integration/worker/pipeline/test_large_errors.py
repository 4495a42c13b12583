"""Pages of large item errors are limited in bytes, and the cursor skips none."""

from storage.context import Context
from storage.pipeline import jobs, results
from tests.factories import make_account, make_job
from tests.workers import drain

ITEMS = 30
PAGE_BYTES = 1024 * 1024


async def test_a_page_of_large_errors_is_bounded_in_bytes(ctx: Context) -> None:
    account = await make_account(ctx)
    body = [b'{"phone": "12", "name": "' + b"x" * 900_000 + b'"}'] * ITEMS
    job_id = await make_job(ctx, account.id, body)
    await drain(ctx)
    seen: list[int] = []
    more, pages = True, 0
    while more:
        after = seen[-1] if seen else -1
        page, more = await results.errors(ctx.pool, account.id, job_id, after, 1000)
        assert 0 < len(page) <= PAGE_BYTES / 900_000
        seen += [error.index for error in page]
        pages += 1
    assert seen == list(range(ITEMS))
    assert pages > 1


async def test_a_job_shows_large_errors_without_the_item(ctx: Context) -> None:
    account = await make_account(ctx)
    job_id = await make_job(ctx, account.id, [b'{"phone": "12", "name": "' + b"x" * 200_000 + b'"}'])
    await drain(ctx)
    (job,) = await jobs.views(ctx.pool, account.id, [job_id])
    assert len(repr(job.first_errors)) < 5_000
    assert "too_long" in {error.code for error in job.first_errors}
