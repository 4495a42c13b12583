"""One trace shows the whole way of a job: from the POST to the webhook."""

import asyncio
import json

import pytest
from aiohttp import web
from opentelemetry.trace import SpanKind, StatusCode

from storage.context import Context
from tests.factories import phone
from tests.integration.api.service import Client, Service
from tests.integration.api.uploads.sending import append, create
from tests.integration.api.work import work, work_once
from tests.integration.traces.spans import Spans, context_of, id_of, linked, trace_of
from tests.receiver import Received, Receiver
from tests.waiting import until
from tests.webhooks import all_ended, make_webhook
from tests.workers import barred
from worker.webhooks.deliver import delivering

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = PARENT[:-1] + "0"
POST = "POST /v1/bulk/{operation}"
NDJSON = "application/x-ndjson"
FAILED: dict[str, bool] = {}


def rows(count: int, size: int = 0) -> bytes:
    """Return items as NDJSON; `size` adds bytes to each."""
    items = ({"phone": phone(n), "metadata": {"note": "x" * size}} for n in range(count))
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


async def test_one_trace_shows_the_whole_way_of_a_large_job(
    ctx: Context, client: Client, receiver: Receiver, spans: Spans
) -> None:
    await make_webhook(ctx, client.account.id, receiver.url())
    body = rows(2_500, 700)  # two parts, so that a worker splits the job
    response = await client.submit(body, NDJSON, traceparent=PARENT, tracestate="vendor=1")
    job_id = response.json["id"]
    async with delivering(ctx):
        await work(ctx)
        (message,) = await receiver.wait(1)
        await all_ended(ctx, client.account.id)
    post = spans.one(POST)
    assert post.parent is not None
    assert f"{post.parent.span_id:016x}" == PARENT.split("-")[2]
    assert f"{trace_of(post):032x}" == PARENT.split("-")[1]
    assert post.attributes is not None
    assert post.attributes["http.response.status_code"] == 202
    assert post.attributes["bulklane.job"] == job_id
    steps = [span for span in spans.below(post) if span.name.startswith(("job.", "webhook."))]
    names = [span.name for span in steps]
    assert sorted(names) == [
        "job.accept", *["job.chunk"] * 4, "job.finish", "job.split", "job.split", "webhook.attempt",
    ]  # fmt: skip
    for span in steps:
        assert span.attributes is not None
        assert span.attributes["bulklane.job"] == job_id
        assert trace_of(span) == trace_of(post)
        assert context_of(span).trace_state.get("vendor") == "1"
        assert span.status.status_code is StatusCode.UNSET
    chunks = [span.attributes or {} for span in steps if span.name == "job.chunk"]
    assert sum(int(str(chunk["bulklane.items.created"])) for chunk in chunks) == 2_500
    assert (spans.one("job.finish").attributes or {})["bulklane.job.state"] == "completed"
    attempt = spans.one("webhook.attempt")
    place = [f"{trace_of(post):032x}", f"{id_of(attempt):016x}"]
    assert message.headers["traceparent"].split("-")[1:3] == place
    assert message.headers["tracestate"] == "vendor=1"


async def test_calls_of_the_servers_are_below_the_step_that_waits_for_them(
    ctx: Context, client: Client, spans: Spans
) -> None:
    await client.submit_items([{"phone": phone(1)}, {"phone": "no phone"}])
    await work(ctx)
    calls = {span.name: span for span in spans.all if span.kind is SpanKind.CLIENT}
    systems = {str((span.attributes or {})["db.system.name"]) for span in calls.values()}
    assert systems == {"postgresql", "redis"}
    above = {id_of(span): span.name for span in spans.all}
    parents = {name: above[span.parent.span_id] for name, span in calls.items() if span.parent}
    assert parents["api_keys.by_key_with_jobs"] == POST
    assert parents["receiving.accept_small"] == "job.accept"
    assert parents["bells.ring"] == POST
    assert set(parents.values()) == {POST, "job.accept"}  # a chunk has the times of its stages instead
    batch = spans.one("job.chunks").attributes or {}
    stages = {name.split(".")[-1] for name in batch if name.startswith("bulklane.stage.")}
    assert stages == {f"{stage}_seconds" for stage in ("prepare", "stage", "upsert", "record", "commit")}
    chunk = spans.one("job.chunk").attributes or {}
    assert chunk["bulklane.items.created"] == chunk["bulklane.items.failed"] == 1
    assert chunk["bulklane.job.state"] == "completed_with_errors"


async def test_small_jobs_that_share_a_transaction_are_linked_with_it(
    ctx: Context, client: Client, spans: Spans
) -> None:
    for n in range(3):
        await client.submit_items([{"phone": phone(n)}])
    await client.submit_items([{"phone": phone(4)}], traceparent=UNSAMPLED)
    await work(ctx)
    posts = spans.named(POST)
    assert len({trace_of(post) for post in posts}) == 3
    batch = spans.one("job.chunks")
    assert batch.parent is None
    assert linked(batch) == {id_of(post) for post in posts}
    chunks = spans.named("job.chunk")
    assert {trace_of(chunk) for chunk in chunks} == {trace_of(post) for post in posts}
    for chunk in chunks:
        assert linked(chunk) == {id_of(batch)}


async def test_jobs_that_one_statement_accepts_are_linked_with_it(
    ctx: Context, service: Service, client: Client, spans: Spans
) -> None:
    await client.submit_items([{"phone": phone(0)}])  # its stream exists now
    waiting = service.api.uploads.small._waiting

    async def queued() -> bool:
        return sum(map(len, waiting.values())) == 2

    async with barred(ctx, "SELECT FROM streams FOR UPDATE"):
        requests = [asyncio.create_task(client.submit_items([{"phone": phone(n)}])) for n in (1, 2, 3)]
        await until(queued)
    assert [response.status for response in await asyncio.gather(*requests)] == [202] * 3
    batch = spans.one("jobs.accept")
    assert batch.parent is None
    assert len(linked(batch)) == 2
    assert linked(batch) < {id_of(post) for post in spans.named(POST)}
    assert [span.name for span in spans.below(batch)] == ["receiving.accept_small"]


async def test_a_trace_that_is_not_sampled_stays_not_sampled(
    ctx: Context, client: Client, receiver: Receiver, spans: Spans
) -> None:
    await make_webhook(ctx, client.account.id, receiver.url())
    await client.submit_items([{"phone": phone(1)}], traceparent=UNSAMPLED)
    async with delivering(ctx):
        await work(ctx)
        (message,) = await receiver.wait(1)
    assert not [span.name for span in spans.all]
    assert message.headers["traceparent"].startswith(PARENT[:35])
    assert message.headers["traceparent"].endswith("-00")


@pytest.mark.parametrize("action", ["retry", "undo"])
async def test_a_retry_and_an_undo_have_a_link_to_the_trace_of_their_job(
    ctx: Context, client: Client, spans: Spans, action: str
) -> None:
    response = await client.submit_items([{"phone": phone(1)}, {"phone": "no phone"}])
    await work(ctx)
    made = await client.call("POST", f"/v1/jobs/{response.json['id']}/{action}")
    assert made.status == 202, made.body
    await work(ctx)
    first, second = spans.one(POST), spans.one(f"POST /v1/jobs/{{job_id}}/{action}")
    assert trace_of(first) != trace_of(second)
    assert linked(second) == {id_of(first)}
    assert [trace_of(span) for span in spans.named("job.chunk")] == [trace_of(first), trace_of(second)]


async def test_a_resumable_upload_has_the_trace_of_the_request_that_completes_it(
    ctx: Context, client: Client, spans: Spans
) -> None:
    body = rows(10)
    begun = await create(client, body[:100], content_type=NDJSON, traceparent=PARENT)
    appended = await append(client, begun.headers["Location"], 100, body[100:], complete=True)
    assert appended.status == 202, appended.body
    await work(ctx)
    completing = spans.one("PATCH /v1/uploads/{upload_id}")
    assert trace_of(completing) != int(PARENT.split("-")[1], 16)
    assert trace_of(spans.one("job.chunk")) == trace_of(completing)


async def test_a_dry_run_has_a_span_in_its_trace(ctx: Context, client: Client, spans: Spans) -> None:
    await client.submit_items([{"phone": phone(1)}], "?dry_run=true")
    await work(ctx)
    dry_run = spans.one("job.dry_run")
    assert trace_of(dry_run) == trace_of(spans.one(POST))
    assert (dry_run.attributes or {})["bulklane.job.state"] == "completed"


async def test_an_error_fails_the_span_of_its_step(ctx: Context, client: Client, spans: Spans) -> None:
    await client.submit_items([{"phone": phone(1)}])
    await ctx.pool.execute("ALTER TABLE contacts RENAME TO away")
    await work_once(ctx)
    batch, chunk = spans.one("job.chunks"), spans.one("job.chunk")
    assert (batch.status.status_code, batch.status.description) == (StatusCode.ERROR, "rolled back")
    assert (chunk.status.status_code, chunk.status.description) == (StatusCode.ERROR, "UndefinedTableError")
    assert not chunk.events  # an event would have the text of the error


async def test_an_attempt_that_fails_says_so_and_the_next_one_is_in_the_same_trace(
    ctx: Context, client: Client, receiver: Receiver, spans: Spans
) -> None:
    receiver.answer = failing_first
    await make_webhook(ctx, client.account.id, receiver.url())
    await client.submit_items([{"phone": phone(1)}])
    async with delivering(ctx):
        await work(ctx)
        await receiver.wait(1)
        await all_ended(ctx, client.account.id)
    failed, delivered = spans.named("webhook.attempt")
    assert failed.status.description == "500"
    assert delivered.status.status_code is StatusCode.UNSET
    assert [(span.attributes or {})["http.request.resend_count"] for span in (failed, delivered)] == [0, 1]
    assert trace_of(failed) == trace_of(delivered) == trace_of(spans.one(POST))


async def failing_first(attempt: Received) -> web.StreamResponse:
    """Answer 500 to the first attempt only."""
    first, FAILED[attempt.id] = attempt.id not in FAILED, True
    return web.Response(status=500 if first else 204)
