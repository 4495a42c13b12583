"""Cancel and retry by a filter: exactly the jobs that match, safely repeated, within the limits."""

import asyncio
from typing import Any

import aiohttp
import pytest

from api.actions import cancel_jobs, matching_jobs, retry_jobs
from schemas.formats.content_type import Format
from schemas.ids import new_job_id, read_job_id
from schemas.operations import JobParams, Operation
from schemas.settings import Settings
from storage.context import Context
from storage.pipeline import uploads
from storage.pipeline.uploads import NewJob
from tests.factories import contact, make_job
from tests.integration.api.service import Client, Response, make_client, serve
from tests.integration.api.work import work
from tests.workers import claim
from worker.reconcile import reconcile

BAD = {"phone": "12"}
MANY = 250  # more than a batch


async def act(client: Client, verb: str, filter_: dict[str, Any], **more: Any) -> Response:
    return await client.call("POST", f"/v1/jobs/{verb}", json={"filter": filter_, "preview": False, **more})


async def states(client: Client, query: str = "") -> dict[str, str]:
    data = (await client.get(f"/v1/jobs?limit=100{query}")).json["data"]
    return {job["id"]: job["state"] for job in data}


async def test_cancel_changes_exactly_the_jobs_that_match(ctx: Context, client: Client) -> None:
    tagged = [(await client.submit_items([contact(n)], "?tags=a,b")).json["id"] for n in range(3)]
    other = (await client.submit_items([contact(9)], "?tags=c&name=import+9")).json["id"]
    preview = await client.call("POST", "/v1/jobs/cancel", json={"filter": {"tag": "a"}})
    assert preview.json == {
        "preview": True, "matched": 3, "cancelled": 0, "remaining": 3, "stopped": None, "skipped": [],
        "jobs": tagged,
    }  # fmt: skip
    assert set((await states(client)).values()) == {"queued"}
    changed = await act(client, "cancel", {"tag": "a"}, expected=2)
    assert (changed.status, changed.error["code"]) == (409, "count_changed")
    done = await act(client, "cancel", {"tag": "a", "state": ["queued", "running"]}, expected=3)
    assert (done.json["matched"], done.json["cancelled"], done.json["remaining"]) == (3, 3, 0)
    assert done.json["jobs"] == tagged
    await work(ctx)
    assert await states(client) == {**dict.fromkeys(tagged, "cancelled"), other: "completed"}
    again = await act(client, "cancel", {"ids": [*tagged, other, "job_01KANP8S3V0000000000000000"]})
    assert (again.json["matched"], again.json["cancelled"]) == (0, 0)
    codes = ["job_ended"] * 4 + ["unknown_job"]
    assert [job["code"] for job in again.json["skipped"]] == codes


async def test_many_jobs_are_cancelled_in_batches_and_end(ctx: Context, client: Client) -> None:
    for n in range(MANY):
        await make_job(ctx, client.account.id, [contact(n)])
    unsplit = await make_job(ctx, client.account.id, [contact(1)] * 5, split=False)
    running = await make_job(ctx, client.account.id, [contact(2)], stream="label:1")
    await claim(ctx)  # the first job of a stream
    done = await act(client, "cancel", {"operation": "contacts.upsert"})
    assert (done.json["cancelled"], done.json["remaining"], done.json["skipped"]) == (MANY + 2, 0, [])
    in_one = "SELECT max(jobs) FROM (SELECT count(*) AS jobs FROM jobs GROUP BY changed) transactions"
    assert await ctx.pool.fetchval(in_one) == cancel_jobs.BATCH_JOBS == 100  # each holds the account's turn
    again = await act(client, "cancel", {"operation": "contacts.upsert"})
    assert again.json["matched"] == 0  # they are cancelled, although no worker has ended them
    for _ in range(5):
        await reconcile(ctx)
        await work(ctx)
    rows = await ctx.pool.fetch("SELECT id, state, total, cancelled FROM jobs")
    assert {(row["state"], row["total"] == row["cancelled"]) for row in rows} == {("cancelled", True)}
    assert {unsplit, running} <= {row["id"] for row in rows if row["total"] in (5, 1)}
    assert await ctx.pool.fetchval("SELECT sum(pending) FROM streams") == 0


async def test_what_time_does_not_allow_remains(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await make_job(ctx, client.account.id, [contact(n)])
    monkeypatch.setattr(matching_jobs, "ACT_SECONDS", -1.0)
    done = await act(client, "cancel", {"state": "queued"})
    assert (done.json["cancelled"], done.json["remaining"], done.json["stopped"]) == (0, 3, "time")
    monkeypatch.undo()
    assert (await act(client, "cancel", {"state": "queued"})).json["cancelled"] == 3


async def test_retry_makes_one_retry_of_each_job(ctx: Context, client: Client) -> None:
    failed = [(await client.submit_items([BAD, contact(n)], "?name=x")).json["id"] for n in range(3)]
    fine = (await client.submit_items([contact(9)], "?name=x")).json["id"]
    waiting = (await client.submit_items([BAD], "?name=y&dry_run=true")).json["id"]
    await work(ctx)
    preview = await client.call("POST", "/v1/jobs/retry", json={"filter": {"name": "x"}})
    assert (preview.json["matched"], preview.json["jobs"], preview.json["retried"]) == (3, failed, 0)
    both = await asyncio.gather(*(act(client, "retry", {"name": "x"}) for _ in range(2)))
    assert sum(done.json["retried"] for done in both) == 3
    codes = {job["code"] for done in both for job in done.json["skipped"]}
    assert codes <= {"already_retried", "retry_in_progress"}
    for parent in failed:
        (child,) = (await client.get(f"/v1/jobs/{parent}")).json["children"]
        assert (await client.get(f"/v1/jobs/{child}")).json["parent_id"] == parent
    assert (await client.get(f"/v1/jobs/{fine}")).json["children"] == []
    await work(ctx)
    again = await act(client, "retry", {"ids": [failed[0], fine, waiting]})
    assert [job["code"] for job in again.json["skipped"]] == ["already_retried", "nothing_to_retry"]
    assert again.json["retried"] == 1
    assert await ctx.pool.fetchval("SELECT count(*) FROM jobs WHERE parent_id IS NOT NULL") == 4


async def test_a_retry_whose_upload_was_cut_is_made_again(ctx: Context, client: Client) -> None:
    parent = (await client.submit_items([BAD])).json["id"]
    await work(ctx)
    child = NewJob(  # of an api that dies while it stores the parts
        account_id=client.account.id, id=new_job_id(), operation=Operation.CONTACTS_UPSERT, stream="contacts",
        params=JobParams(), format=Format.JSON, parallel=1, request_id="req", parent_id=read_job_id(parent),
        idempotency_key=uploads.ONLY_RETRY + parent,
    )  # fmt: skip
    await uploads.open_job(ctx.pool, child)
    assert await uploads.fail(ctx.pool, client.account.id, child.id, "upload_incomplete", "the api has died")
    assert (await client.get(f"/v1/jobs/{parent}")).json["children"] == []
    assert (await act(client, "retry", {"ids": [parent]})).json["retried"] == 1


async def test_a_retry_that_another_request_is_making_is_not_called_made(
    ctx: Context, client: Client
) -> None:
    """That request may be cut: its retry is then made by the next one, as soon as the lease has expired."""
    parent = (await client.submit_items([BAD])).json["id"]
    await work(ctx)
    making = NewJob(
        account_id=client.account.id, id=new_job_id(), operation=Operation.CONTACTS_UPSERT,
        stream="contacts", format=Format.NDJSON, params=JobParams(), parallel=1, request_id="req_1",
        idempotency_key=uploads.ONLY_RETRY + parent, parent_id=read_job_id(parent),
    )  # fmt: skip
    await uploads.open_job(ctx.pool, making)
    again = (await act(client, "retry", {"ids": [parent]})).json
    assert (again["retried"], again["skipped"]) == (0, [{"id": parent, "code": "retry_in_progress"}])
    await ctx.pool.execute(
        "UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1", making.id
    )
    assert (await act(client, "retry", {"ids": [parent]})).json["retried"] == 1


async def test_a_job_that_was_retried_alone_meanwhile_has_one_retry(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = (await client.submit_items([BAD], "?name=x")).json["id"]
    await work(ctx)
    find = matching_jobs.jobs_to_retry

    async def find_and_retry(*asked: Any) -> matching_jobs.Acting:
        acting = await find(*asked)
        assert (await client.call("POST", f"/v1/jobs/{parent}/retry")).status == 202
        return acting

    monkeypatch.setattr(retry_jobs, "jobs_to_retry", find_and_retry)
    done = (await act(client, "retry", {"name": "x"})).json
    assert (done["retried"], done["skipped"]) == (0, [{"id": parent, "code": "already_retried"}])
    assert len((await client.get(f"/v1/jobs/{parent}")).json["children"]) == 1


async def test_retries_respect_the_limit_of_unfinished_jobs(
    ctx: Context, settings: Settings, client: Client
) -> None:
    few = settings.model_copy(update={"max_unfinished_jobs": 3})
    for _ in range(5):
        await client.submit_items([BAD], "?tags=t")
    await work(ctx)
    async with (
        serve(few) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        limited = Client(session, client.account, client.key)
        done = (await act(limited, "retry", {"tag": "t"})).json
        assert (done["matched"], done["retried"], done["remaining"]) == (5, 3, 2)
        assert done["stopped"] == "too_many_jobs"
        assert (await act(limited, "retry", {"tag": "t"})).status == 429
        await work(ctx)
        done = (await act(limited, "retry", {"tag": "t", "until": "2100-01-01T00:00:00Z"})).json
    assert (done["matched"], done["stopped"]) == (5, "too_many_jobs")  # with the retries, which failed


@pytest.mark.parametrize("verb", ["cancel", "retry"])
async def test_a_filter_that_is_none_is_refused(ctx: Context, client: Client, verb: str) -> None:
    job_id = (await client.submit_items([BAD])).json["id"]
    for body, param, code in [
        ({"filter": {}, "preview": False}, "filter", "empty_filter"),
        ({"preview": False}, "filter", "missing_parameter"),
        ({"filter": {"tag": "a", "tags": "b"}}, "filter.tags", "unknown_parameter"),
        ({"filter": {"ids": ["5"]}}, "filter.ids[0]", "invalid_parameter"),
        ({"filter": {"ids": [job_id] * 1001}}, "filter.ids", "invalid_parameter"),
        ({"filter": {"state": ["waiting"]}}, "filter.state[0]", "invalid_parameter"),
        ({"filter": {"tag": "a"}, "preview": "no"}, "preview", "invalid_parameter"),
    ]:
        response = await client.call("POST", f"/v1/jobs/{verb}", json=body)
        assert (response.status, response.error["param"], response.error["code"]) == (422, param, code)
    assert await states(client) == {job_id: "queued"}


async def test_the_retry_of_many_jobs_counts_once_in_the_window(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    limited = await make_client(ctx, session, request_limit=6)
    for _ in range(4):
        await limited.submit_items([BAD])
    await work(ctx)
    done = await act(limited, "retry", {"since": "2020-01-01T00:00:00Z"})
    assert (done.json["retried"], done.headers["X-RateLimit-Remaining"]) == (4, "1")
