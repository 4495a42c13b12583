"""A retry meets another retry of its job, or the deletion of its job."""

from typing import Any

import pytest

from api.accept.upload import accept_upload
from api.actions import retry_jobs
from schemas.ids import read_job_id
from storage import pruning
from storage.context import Context
from storage.postgres.transactions import transaction
from storage.pruning import OldJobs
from tests.integration.api.service import Client
from tests.integration.api.work import work

BAD = {"phone": "12"}
DAYS = 30


async def parent_of_two_parts(ctx: Context, client: Client) -> str:
    """Make a job whose failed items are more than one part: its retry is stored while it arrives."""
    items = [BAD | {"note": "x" * 2_000, "ref": str(n)} for n in range(700)]
    return await ended(ctx, client, items)


async def parent_of_one_item(ctx: Context, client: Client) -> str:
    return await ended(ctx, client, [BAD])


async def ended(ctx: Context, client: Client, items: list[dict[str, Any]]) -> str:
    job_id: str = (await client.submit_items(items)).json["id"]
    await work(ctx)
    return job_id


@pytest.mark.parametrize("make_parent", [parent_of_one_item, parent_of_two_parts])
async def test_a_retry_alone_that_comes_between_look_and_accept_is_the_only_one(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch, make_parent: Any
) -> None:
    parent = await make_parent(ctx, client)

    async def retry_alone_first(*arguments: Any, **options: Any) -> Any:
        assert (await client.call("POST", f"/v1/jobs/{parent}/retry")).status == 202
        return await accept_upload(*arguments, **options)

    monkeypatch.setattr(retry_jobs, "accept_upload", retry_alone_first)
    body = {"filter": {"ids": [parent]}, "preview": False}
    done = (await client.call("POST", "/v1/jobs/retry", json=body)).json
    assert (done["retried"], done["skipped"]) == (0, [{"id": parent, "code": "already_retried"}])
    assert len((await client.get(f"/v1/jobs/{parent}")).json["children"]) == 1


async def test_a_retry_does_not_wait_for_the_deletion_of_its_job(ctx: Context, client: Client) -> None:
    """The deletion takes minutes if the job had many results, and the retry holds its stream."""
    parent = await parent_of_one_item(ctx, client)
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '90 days'")
    async with transaction(ctx.pool) as conn:
        assert await pruning.job(conn, OldJobs(account_id=client.account.id, days=DAYS)) == 1
        retried = await client.call("POST", f"/v1/jobs/{parent}/retry")
        assert retried.status == 202
    assert (await client.get(f"/v1/jobs/{parent}")).status == 404
    assert await ctx.pool.fetchval("SELECT count(*) FROM job_history") == 0
    await work(ctx)
    assert (await client.get(f"/v1/jobs/{retried.json['id']}")).json["counts"]["failed"] == 1


async def test_a_job_that_is_being_retried_is_deleted_later(ctx: Context, client: Client) -> None:
    parent = await parent_of_one_item(ctx, client)
    await ctx.pool.execute("UPDATE jobs SET finished_at = now() - interval '90 days'")
    async with transaction(ctx.pool) as conn:
        await conn.execute(  # as an accept that has not committed
            """INSERT INTO jobs (account_id, id, operation, stream, state, format, parallel, request_id,
                   parent_id, accepted_at)
               SELECT account_id, gen_random_uuid(), operation, stream, 'queued', format, 1, 'req', id, now()
               FROM jobs WHERE id = $1""",
            read_job_id(parent),
        )
        async with transaction(ctx.pool) as other:
            assert await pruning.job(other, OldJobs(account_id=client.account.id, days=DAYS)) == 0
    async with transaction(ctx.pool) as conn:
        assert await pruning.job(conn, OldJobs(account_id=client.account.id, days=DAYS)) == 1
