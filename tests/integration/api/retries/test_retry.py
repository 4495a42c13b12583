"""Retry: the failed items of a job become the body of a new one, and fail there for the same reasons."""

import json
from typing import Any

import pytest

from api.results.retry import check_retry, failed_items, format_of_failed
from schemas.errors import Conflict
from schemas.formats.content_type import Format
from schemas.ids import JobId, read_job_id
from schemas.operations import Operation
from storage.context import Context
from storage.pipeline import jobs
from storage.pipeline.jobs import Parent
from storage.pipeline.results import ERRORS_A_READ
from tests.factories import contact, phone
from tests.integration.api.service import Client, Response
from tests.integration.api.work import work

TYPES = {Format.CSV: "text/csv", Format.NDJSON: "application/x-ndjson"}
BAD_LINES = [
    b'{"phone": "12", "ref": "mine", "name": "Ana, \\"the\\" 1st\\nline"}',
    b'{"phone": "+999123456789", "metadata": {"a": [1, {"b": null}], "c": 1.0}}',
    b'{"phone": "+14152000001", "age": 200}',
    b'{"phone": "+14152000001", "name": "a\\u0000b"}',
    b'{"phone": "+14152000001", "name": "\\ud800"}',
    b'{"phone": "+14152000001", "metadata": {"a": 1e999}}',
    b'{"phone": "+14152000001"',
    b'  {"phone": +14152000001}',
    b'{"phone": "+14152000001", "name": "Jos\xe9"}',
    b'{"phone": "+14152000001", "name": "Jos\xe9 \\\\xe9"}',
    b"+14152000001",
    b'"+14152000001"',
    b"\xff",
    b"[1, 2]",
    b"5",
    b"null",
]
BAD_ROWS = [
    b'12,"O; ""K"" the\r\n1st",,Pune',
    b"+14152000001,one,two,three,four",
    b"+14152000001",
    b"+14152000001,Jos\xe9,,",
    b'"+14152000001","\xff, quoted",,',
    b'+14152000001,a"b\xff,,',
    b"+14152000001,literal \\xff,x",
    b",,,",
    b"+14152000001,\x00,,",
    b'12,ends in,,"no quote',
]


async def run_to_end(ctx: Context, client: Client, response: Response) -> Parent:
    """Run the job of a 202 to its end, and return it as a retry reads it."""
    assert response.status == 202, response.body
    await work(ctx)
    return await parent_of(ctx, client, response)


async def parent_of(ctx: Context, client: Client, response: Response) -> Parent:
    job_id = read_job_id(response.json["id"])
    assert job_id is not None
    parent = await jobs.parent(ctx.pool, client.account.id, job_id)
    assert parent is not None
    return parent


async def retry_body(ctx: Context, parent: Parent) -> bytes:
    return b"".join([piece async for piece in failed_items(ctx.pool, parent)])


async def errors_of(ctx: Context, job_id: JobId) -> list[tuple[Any, ...]]:
    """Return the errors of a job in order, without their indexes."""
    rows = await ctx.pool.fetch(
        """SELECT ref, field, code, message, value::text, item::text FROM item_errors WHERE job_id = $1
           ORDER BY item_index""",
        job_id,
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("format_", [Format.NDJSON, Format.CSV])
async def test_failed_items_fail_again_for_the_same_reasons(
    ctx: Context, client: Client, format_: Format
) -> None:
    if format_ is Format.CSV:
        good, head, bad, end = (
            f"{phone(2)},Bo,,\r\n".encode(),
            b"phone,name,error_code,metadata.city\r\n",
            BAD_ROWS,
            b"\r\n",
        )
    else:
        good, head, bad, end = json.dumps(contact(2)).encode() + b"\n", b"", BAD_LINES, b"\n"
    body = head + b"".join(good + record + end for record in bad)
    parent = await run_to_end(ctx, client, await client.submit(body, TYPES[format_]))
    assert (parent.failed, parent.format, format_of_failed(parent)) == (len(bad), format_, format_)
    again = await client.submit(await retry_body(ctx, parent), TYPES[format_])
    child = await run_to_end(ctx, client, again)
    assert (again.json["state"], child.failed) == ("queued", len(bad))
    assert (await client.job(again))["total"] == len(bad)
    assert await errors_of(ctx, child.job_id) == await errors_of(ctx, parent.job_id)


async def test_a_failed_item_may_pass_with_other_parameters(ctx: Context, client: Client) -> None:
    items = [contact(1), {"phone": "020 7946 0958", "name": "Zoë"}, contact(3)]
    parent = await run_to_end(ctx, client, await client.submit_items(items))
    assert parent.failed == 1
    child = await client.submit(await retry_body(ctx, parent), "application/x-ndjson", "?region=GB")
    assert (await run_to_end(ctx, client, child)).failed == 0
    assert await ctx.pool.fetchval("SELECT name FROM contacts WHERE phone = '+442079460958'") == "Zoë"


async def test_a_json_array_is_retried_as_ndjson(ctx: Context, client: Client) -> None:
    items = [contact(1), {"phone": "12", "metadata": {"a": [1, "x\ny"]}}, 5]
    parent = await run_to_end(
        ctx, client, await client.submit(json.dumps(items, indent=2).encode(), "application/json")
    )
    assert format_of_failed(parent) is Format.NDJSON
    lines = (await retry_body(ctx, parent)).splitlines()
    assert [json.loads(line) for line in lines] == items[1:]


async def test_a_file_keeps_its_columns_and_its_separator(ctx: Context, client: Client) -> None:
    body = b'Mobile;"metadata.a,b";dropped;Name\n12;x;y;"O; ""K"""\n'
    response = await client.submit(body, "text/csv", "?map.Mobile=phone&map.dropped=")
    parent = await run_to_end(ctx, client, response)
    again = await retry_body(ctx, parent)
    assert again == b'"phone";"metadata.a,b";"dropped";"name"\r\n12;x;y;"O; ""K"""\r\n'
    child = await run_to_end(ctx, client, await client.submit(again, "text/csv", "?map.dropped="))
    assert child.layout == parent.layout
    assert await errors_of(ctx, child.job_id) == await errors_of(ctx, parent.job_id)


async def test_an_empty_cell_of_a_single_column_is_kept(ctx: Context, client: Client) -> None:
    parent = await run_to_end(ctx, client, await client.submit(b'phone\n""\n12\n', "text/csv"))
    assert await retry_body(ctx, parent) == b'"phone"\r\n""\r\n12\r\n'


async def test_failed_items_are_read_in_order_and_page_by_page(ctx: Context, client: Client) -> None:
    count = 2 * ERRORS_A_READ + 50
    items = [contact(n) if n % 2 else {"phone": "12", "name": str(n)} for n in range(2 * count)]
    parent = await run_to_end(ctx, client, await client.submit_items(items))
    pieces = [piece async for piece in failed_items(ctx.pool, parent)]
    assert len(pieces) == 3
    lines = b"".join(pieces).splitlines()
    assert [int(json.loads(line)["name"]) for line in lines] == list(range(0, 2 * count, 2))


async def test_an_item_of_the_maximum_size_does_not_grow(ctx: Context, client: Client) -> None:
    line = json.dumps({"phone": "12", "metadata": {"k": "я" * 500_000}}, ensure_ascii=False).encode()
    parent = await run_to_end(ctx, client, await client.submit(line, "application/x-ndjson"))
    assert len(await retry_body(ctx, parent)) <= len(line) + 1


async def test_a_retry_reads_the_parameters_of_its_parent(ctx: Context, client: Client) -> None:
    response = await client.submit_items([contact(1)], "?region=GB&parallel=7&dry_run=true")
    parent = await parent_of(ctx, client, response)
    assert (parent.operation, parent.params.region) == (Operation.CONTACTS_UPSERT, "GB")
    assert (parent.parallel, parent.dry_run) == (7, True)


async def test_a_job_that_has_not_ended_is_not_retried(ctx: Context, client: Client) -> None:
    response = await client.submit_items([{"phone": "12"}])
    with pytest.raises(Conflict) as refused:
        check_retry(await parent_of(ctx, client, response))
    assert refused.value.code == "job_not_ended"
    check_retry(await run_to_end(ctx, client, response))


async def test_a_job_without_failed_items_is_not_retried(ctx: Context, client: Client) -> None:
    parent = await run_to_end(ctx, client, await client.submit_items([contact(1)]))
    with pytest.raises(Conflict) as refused:
        check_retry(parent)
    assert refused.value.code == "nothing_to_retry"


async def test_the_job_of_another_account_cannot_be_retried(ctx: Context, client: Client) -> None:
    parent = await run_to_end(ctx, client, await client.submit_items([{"phone": "12"}]))
    assert await jobs.parent(ctx.pool, type(parent.account_id)(parent.account_id + 1), parent.job_id) is None


async def retry(client: Client, response: Response, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.call("POST", f"/v1/jobs/{response.json['id']}/retry", headers=names)


async def test_a_retry_has_only_the_failed_items(ctx: Context, client: Client) -> None:
    items = [contact(1), {"phone": "12", "ref": "a"}, contact(2), {"phone": "+999", "ref": "b"}]
    parent = await client.submit_items(items)
    await run_to_end(ctx, client, parent)
    response = await retry(client, parent)
    assert (response.status, response.json["parent_id"]) == (202, parent.json["id"])
    assert response.headers["Location"] == f"/v1/jobs/{response.json['id']}"
    await work(ctx)
    job = await client.job(response)
    assert (job["total"], job["counts"]["failed"], job["operation"]) == (2, 2, "contacts.upsert")
    assert [(error["index"], error["ref"]) for error in job["errors"]] == [(0, "a"), (1, "b")]
    assert (await client.job(parent))["counts"]["failed"] == 2


async def test_an_unknown_contact_can_be_retried_after_its_creation(ctx: Context, client: Client) -> None:
    items = json.dumps([{"phone": phone(1)}, {"phone": phone(2)}]).encode()
    headers = {"Content-Type": "application/json"}
    path = "/v1/bulk/preferences.set?preference=mute_all"
    parent = await client.call("POST", path, data=items, headers=headers)
    await client.submit_items([contact(1)])
    parent_job = await run_to_end(ctx, client, parent)
    await client.submit_items([contact(1), contact(2)])
    await work(ctx)
    response = await retry(client, parent)
    child = await run_to_end(ctx, client, response)
    assert (child.params, child.failed) == (parent_job.params, 0)
    rows = await ctx.pool.fetch("SELECT communication_preference FROM contacts")
    assert {row[0] for row in rows} <= {"mute_all", None}
    assert (await client.job(response))["total"] == parent_job.failed


@pytest.mark.parametrize(
    ("items", "code"), [([contact(1)], "nothing_to_retry"), ([{"phone": "12"}], "job_not_ended")]
)
async def test_a_retry_without_failed_items_or_before_the_end_is_refused(
    ctx: Context, client: Client, items: list[Any], code: str
) -> None:
    parent = await client.submit_items(items)
    if code == "nothing_to_retry":
        await work(ctx)
    response = await retry(client, parent)
    assert (response.status, response.error["code"]) == (409, code)
    assert len(await client.jobs()) == 1


async def test_a_retry_of_a_job_of_a_newer_release_is_refused(ctx: Context, client: Client) -> None:
    parents = [(await client.submit_items([{"phone": "12"}])).json["id"] for _ in range(3)]
    await work(ctx)
    await ctx.pool.execute(  # what a release has stored that was rolled back
        "UPDATE jobs SET params = params || '{\"newer\": 1}' WHERE id <> $1", read_job_id(parents[0])
    )
    response = await client.call("POST", f"/v1/jobs/{parents[1]}/retry")
    assert (response.status, response.error["code"]) == (409, "newer_release")
    acted = await client.call("POST", "/v1/jobs/retry", json={"filter": {"ids": parents}, "preview": False})
    assert (acted.json["retried"], acted.json["remaining"]) == (1, 0)
    assert [job["code"] for job in acted.json["skipped"]] == ["newer_release"] * 2
    await ctx.pool.execute("UPDATE jobs SET operation = 'contacts.newer'")
    response = await client.get(f"/v1/jobs/{parents[1]}/errors?format=csv")
    assert (response.status, response.error["code"]) == (409, "newer_release")


async def test_a_retry_of_a_dry_run_is_a_dry_run(ctx: Context, client: Client) -> None:
    parent = await client.submit_items([{"phone": "020 7946 0958"}], "?dry_run=true")
    await run_to_end(ctx, client, parent)
    assert (await retry(client, parent)).json["dry_run"] is True


async def test_a_retry_that_is_sent_twice_is_one_job(ctx: Context, client: Client) -> None:
    parent = await client.submit_items([{"phone": "12"}])
    await run_to_end(ctx, client, parent)
    first = await retry(client, parent, Idempotency_Key="once")
    second = await retry(client, parent, Idempotency_Key="once")
    assert (second.json["id"], second.headers["Idempotent-Replayed"]) == (first.json["id"], "true")


async def test_a_retried_overwrite_keeps_the_members_that_it_added(ctx: Context, client: Client) -> None:
    list_id = (await client.call("POST", "/v1/contact-lists", json={"name": "L"})).json["id"]
    tiered = contact(9) | {"properties": {"tier": "gold"}}
    body = {"action": "overwrite", "contacts": [contact(1), contact(2), tiered]}
    response = await client.call("PUT", f"/v1/contacts/lists/{list_id}/contacts", json=body)
    await work(ctx)
    await client.call("POST", "/v1/properties", json={"name": "tier", "type": "string"})
    again = (await retry(client, response)).json
    assert (again["operation"], again["total"]) == ("lists.add", 1)
    await work(ctx)
    ended = (await client.get(f"/v1/jobs/{again['id']}")).json
    assert ended["memberships"] == {"added": 1, "removed": 0}
    members = (await client.get(f"/v1/contact-lists/{list_id}/members")).json["data"]
    assert [member["phoneNumber"] for member in members] == [phone(1), phone(2), phone(9)]
