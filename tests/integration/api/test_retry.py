"""Retry: a new job from the failed items alone."""

import json

import aiohttp
import pytest

from schemas.ids import show_job_id
from storage.context import Context
from tests.factories import contact, phone
from tests.integration.api.service import Answer, Client, make_client
from tests.integration.api.work import stored, work

HALF_BAD = [contact(1), contact(2) | {"external_id": ""}, contact(3), {"phone": "12"}, "no contact"]


async def retry(client: Client, job: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.call("POST", f"/v1/jobs/{job}/retry", headers=named)


async def ended(ctx: Context, client: Client, body: bytes, content_type: str, query: str = "") -> str:
    answer = await client.submit(body, content_type, query)
    assert answer.status == 202, answer.body
    await work(ctx)
    job: str = answer.json["id"]
    return job


async def test_the_failed_items_alone_are_a_new_job(ctx: Context, client: Client) -> None:
    job = await ended(ctx, client, json.dumps(HALF_BAD).encode(), "application/json")
    answer = await retry(client, job)
    assert answer.status == 202
    again = answer.json
    assert (again["parent_id"], again["operation"], again["total"]) == (job, "contacts.upsert", 3)
    await work(ctx)
    again = (await client.get(f"/v1/jobs/{again['id']}")).json
    first = (await client.get(f"/v1/jobs/{job}")).json
    assert [(e["index"], e["code"], e["item"]) for e in again["errors"]] == [
        (place, e["code"], e["item"]) for place, e in enumerate(first["errors"])
    ]
    assert first["parent_id"] is None
    assert await stored(ctx) == {phone(1): "Name 1", phone(3): "Name 3"}


async def test_items_that_can_be_applied_by_now_are(ctx: Context, client: Client) -> None:
    await client.call("POST", "/v1/audiences", json={"name": "A"})
    headers = {"Content-Type": "text/csv"}
    path = "/v1/bulk/audiences.add?audience_id=1"
    answer = await client.call(
        "POST", path, data=f"phone\n{phone(1)}\n{phone(2)}\n".encode(), headers=headers
    )
    assert answer.status == 202, answer.body
    await work(ctx)
    await ended(ctx, client, json.dumps([contact(1), contact(2)]).encode(), "application/json")
    again = await retry(client, answer.json["id"])
    assert (again.status, again.json["total"]) == (202, 2)
    await work(ctx)
    job = (await client.get(again.headers["Location"])).json
    assert (job["state"], job["counts"]["updated"]) == ("completed", 2)


async def test_a_retry_keeps_the_columns_and_the_parameters_of_a_file(ctx: Context, client: Client) -> None:
    body = f"Mobile;age;metadata.city\n12;5;Pune\n{phone(2)[2:]};old;Delhi\n{phone(3)[2:]};7;\n".encode()
    job = await ended(ctx, client, body, "text/csv", "?map.Mobile=phone&region=US&parallel=2")
    again = (await retry(client, job)).json
    assert again["total"] == 2
    await work(ctx)
    errors = (await client.get(f"/v1/jobs/{again['id']}/errors")).json["data"]
    assert [(error["code"], error["item"]) for error in errors] == [
        ("phone_too_short", {"phone": "12", "age": "5", "metadata.city": "Pune"}),
        ("wrong_type", {"phone": phone(2)[2:], "age": "old", "metadata.city": "Delhi"}),
    ]


async def test_a_job_that_has_not_ended_or_has_not_failed_cannot_be_retried(
    ctx: Context, client: Client
) -> None:
    answer = await client.submit_items([contact(1)])
    early = await retry(client, answer.json["id"])
    assert (early.status, early.error["code"]) == (409, "job_not_ended")
    await work(ctx)
    late = await retry(client, answer.json["id"])
    assert (late.status, late.error["code"]) == (409, "nothing_to_retry")
    assert len(await client.jobs()) == 1


@pytest.mark.parametrize("job", ["job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "job_x", "7"])
async def test_an_unknown_job_is_a_404(client: Client, job: str) -> None:
    answer = await retry(client, job)
    assert (answer.status, answer.error["code"]) == (404, "unknown_job")


async def test_a_retry_with_a_key_is_done_once(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    job = await ended(ctx, client, json.dumps(HALF_BAD).encode(), "application/json")
    first = await retry(client, job, Idempotency_Key="once")
    again = await retry(client, job, Idempotency_Key="once")
    assert (first.status, again.status) == (202, 202)
    assert first.json["id"] == again.json["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await make_client(ctx, session)
    assert (await retry(other, job)).status == 404


async def test_a_retry_of_a_large_job_is_streamed(ctx: Context, client: Client) -> None:
    note = "x" * 2_000
    lines = b"\n".join(json.dumps({"phone": "12", "metadata": {"note": note}}).encode() for _ in range(1_200))
    job = await ended(ctx, client, lines, "application/x-ndjson")
    again = (await retry(client, job)).json
    assert again["total"] is None  # more than one part
    await work(ctx)
    assert (await client.get(f"/v1/jobs/{again['id']}")).json["counts"]["failed"] == 1_200
    parent = await ctx.pool.fetchval("SELECT parent_id FROM jobs WHERE parent_id IS NOT NULL")
    assert show_job_id(parent) == job
