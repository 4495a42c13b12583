"""POST /v1/jobs/{id}/undo makes a job that gives contacts back what they had, and says what it kept."""

from typing import Any

import aiohttp

from schemas.settings import Settings
from storage.context import Context
from tests.factories import contact, make_label, phone
from tests.integration.api.service import Client, Response, make_client, serve
from tests.integration.api.work import work
from tests.integration.worker.images.turning_back import state_of

NDJSON = "application/x-ndjson"


async def ended(ctx: Context, client: Client, response: Response) -> dict[str, Any]:
    """Run the job of a 202 to its end, and return it."""
    assert response.status == 202, response.body
    await work(ctx)
    job: dict[str, Any] = await client.job(response)
    return job


async def undo(client: Client, job: dict[str, Any], query: str = "", **headers: str) -> Response:
    return await client.call("POST", f"/v1/jobs/{job['id']}/undo{query}", headers=headers)


async def upserted(ctx: Context, client: Client, *items: Any) -> dict[str, Any]:
    return await ended(ctx, client, await client.submit_items(items))


async def test_an_undo_deletes_created_contacts_and_gives_others_their_values_back(
    ctx: Context, client: Client
) -> None:
    await upserted(ctx, client, *[contact(n, metadata={"a": 1, "b": n}) for n in range(3)])
    before = await state_of(ctx, client.account.id)
    job = await upserted(
        ctx, client, *[contact(n, name="New", metadata={"a": None, "c": []}) for n in range(5)]
    )
    response = await undo(client, job)
    assert response.headers["Location"] == f"/v1/jobs/{response.json['id']}"
    undone = await ended(ctx, client, response)
    assert (undone["operation"], undone["state"], undone["undoes"]) == ("jobs.undo", "completed", job["id"])
    assert (undone["total"], undone["counts"]["updated"], undone["stream"]) == (5, 5, "contacts")
    assert await state_of(ctx, client.account.id) == before
    assert (await client.get(f"/v1/jobs/{job['id']}")).json["undone_by"] == [undone["id"]]


async def test_what_others_have_changed_is_kept_and_told_field_by_field(ctx: Context, client: Client) -> None:
    await upserted(ctx, client, contact(1, name="Ana", email="a@example.com", metadata={"a": 1, "b": 1}))
    job = await upserted(ctx, client, contact(1, name="Bo", email="b@example.com", metadata={"a": 2, "b": 2}))
    contact_id = await ctx.pool.fetchval("SELECT id FROM contacts")
    changed = {"name": "Cy", "metadata": {"a": 3}}
    assert (await client.call("PATCH", f"/v1/contacts/{contact_id}", json=changed)).status == 200
    undone = await ended(ctx, client, await undo(client, job))
    (result,) = (await client.get(undone["results_url"])).json["data"]
    assert (result["outcome"], result["code"], result["contact_id"]) == (
        "updated",
        "kept_changed_since",
        contact_id,
    )
    assert result["fields"] == ["metadata.a", "name"]
    assert await _stored(ctx) == ("Cy", "a@example.com", "3", "1")
    lines = await client.get(f"{undone['results_url']}?format=csv")
    assert b"kept_changed_since" in lines.body
    assert b'"[""metadata.a"", ""name""]"' in lines.body
    forced = await ended(ctx, client, await undo(client, job, "?force=true"))
    assert forced["counts"]["updated"] == 1
    assert await _stored(ctx) == ("Ana", "a@example.com", "1", "1")


async def test_deleted_contacts_come_back_unless_their_phone_is_taken(ctx: Context, client: Client) -> None:
    await upserted(ctx, client, contact(1), contact(2))
    before = await state_of(ctx, client.account.id)
    deleted = await client.call(
        "POST", "/v1/bulk/contacts.delete", json=[{"phone": phone(1)}, {"phone": phone(2)}]
    )
    job = await ended(ctx, client, deleted)
    await upserted(ctx, client, contact(1, name="Taken"))
    tried = await ended(ctx, client, await undo(client, job, "?dry_run=true"))
    assert (tried["counts"]["created"], tried["counts"]["failed"]) == (1, 1)
    undone = await ended(ctx, client, await undo(client, job))
    assert (undone["state"], undone["counts"]["created"]) == ("completed_with_errors", 1)
    (error,) = undone["errors"]
    assert (error["code"], error["field"], error["value"]) == ("phone_taken", "phone", phone(1))
    await ctx.pool.execute("DELETE FROM contacts WHERE name = 'Taken'")
    retried = await ended(ctx, client, await client.call("POST", f"/v1/jobs/{undone['id']}/retry"))
    assert (retried["state"], retried["undoes"]) == ("completed", job["id"])
    history = await client.get(f"/v1/contacts/{min(before)}/history")
    (change,) = history.json["data"][0]["changes"]
    assert (change["field"], change["old"], change["new"]["name"]) == ("contact", None, "Name 1")
    assert await state_of(ctx, client.account.id) == before


async def test_an_undo_is_undone_by_an_undo(ctx: Context, client: Client) -> None:
    label_id = await make_label(ctx, client.account.id)
    await upserted(ctx, client, contact(1), contact(2))
    before = await state_of(ctx, client.account.id)
    job = await ended(ctx, client, await client.call(
        "POST", f"/v1/bulk/labels.attach?label_id={label_id}", json=[{"phone": phone(1)}]))  # fmt: skip
    after = await state_of(ctx, client.account.id)
    undone = await ended(ctx, client, await undo(client, job))
    assert (undone["stream"], undone["memberships"]["removed"]) == (f"label:{label_id}", 1)
    assert await state_of(ctx, client.account.id) == before
    assert (await ended(ctx, client, await undo(client, undone)))["memberships"]["added"] == 1
    assert await state_of(ctx, client.account.id) == after


async def test_a_dry_run_tells_what_an_undo_would_do_and_changes_nothing(
    ctx: Context, client: Client
) -> None:
    await upserted(ctx, client, contact(1))
    job = await upserted(ctx, client, contact(1, name="New"), contact(2))
    after = await state_of(ctx, client.account.id)
    tried = await ended(ctx, client, await undo(client, job, "?dry_run=true"))
    assert (tried["dry_run"], tried["counts"]["updated"]) == (True, 2)
    assert (await client.get(f"/v1/jobs/{job['id']}")).json["undone_by"] == []
    audit = (await client.get(f"/v1/jobs/{job['id']}/audit")).json["data"]
    assert [entry["action"] for entry in audit] == ["submitted"]
    assert await state_of(ctx, client.account.id) == after


async def test_the_tags_of_the_query_take_the_place_of_those_of_the_job(ctx: Context, client: Client) -> None:
    job = await ended(ctx, client, await client.submit_items([contact(1)], "?tags=a,b"))
    assert (await undo(client, job, "?tags=back")).json["tags"] == ["back"]


async def test_an_undo_has_name_tags_and_idempotency_key(ctx: Context, client: Client) -> None:
    job = await ended(ctx, client, await client.submit_items([contact(1)], "?name=import&tags=a"))
    first = await undo(client, job, "?name=back&parallel=2", **{"Idempotency-Key": "k"})
    second = await undo(client, job, "?name=back&parallel=2", **{"Idempotency-Key": "k"})
    assert first.json["id"] == second.json["id"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (first.json["name"], first.json["tags"], first.json["parent_id"]) == ("back", ["a"], None)


async def test_a_job_that_cannot_be_undone_is_refused_with_the_reason(ctx: Context, client: Client) -> None:
    waiting = (await client.submit_items([contact(1)])).json
    assert await _refusal(client, waiting) == "job_not_ended"
    await work(ctx)
    same = await upserted(ctx, client, contact(1))
    assert await _refusal(client, same) == "nothing_to_undo"
    dry = await ended(ctx, client, await client.submit_items([contact(2)], "?dry_run=true"))
    assert await _refusal(client, dry) == "nothing_to_undo"
    job = await upserted(ctx, client, contact(1, name="New"))
    assert (await undo(client, job)).status == 202
    assert await _refusal(client, job) == "undo_unfinished"
    await work(ctx)
    await ctx.pool.execute("DELETE FROM before_images")
    assert await _refusal(client, job) == "undo_unavailable"
    await ctx.pool.execute("UPDATE jobs SET finished_at = finished_at - interval '8 days'")
    assert await _refusal(client, job) == "undo_expired"


async def test_without_undo_days_nothing_can_be_undone(ctx: Context, settings: Settings) -> None:
    async with (
        serve(settings.model_copy(update={"undo_days": 0})) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = await make_client(ctx, session)
        assert await _refusal(client, await upserted(ctx, client, contact(1))) == "undo_unavailable"


async def test_items_whose_images_are_gone_fail(ctx: Context, client: Client) -> None:
    await upserted(ctx, client, contact(1), contact(2))
    job = await upserted(ctx, client, contact(1, name="New"), contact(2, name="New"))
    response = await undo(client, job)
    await ctx.pool.execute("DELETE FROM before_images")
    undone = await ended(ctx, client, response)
    assert (undone["counts"]["failed"], undone["errors"][0]["code"]) == (2, "undo_unavailable")
    file = await client.get(f"{undone['errors_url']}?format=csv")
    assert file.body.splitlines()[0] == b"contact,images,created,error_code,error_message"


async def test_no_client_sends_the_items_of_an_undo(client: Client) -> None:
    response = await client.call("POST", "/v1/bulk/jobs.undo", json=[{"contact": 1, "images": []}])
    assert (response.status, response.error["code"]) == (404, "unknown_operation")


async def _stored(ctx: Context) -> tuple[Any, ...]:
    """Return name, e-mail and the keys a and b of the only contact."""
    (row,) = await ctx.pool.fetch("SELECT name, email, metadata->>'a', metadata->>'b' FROM contacts")
    return tuple(row)


async def _refusal(client: Client, job: dict[str, Any]) -> str:
    response = await undo(client, job)
    assert response.status == 409, response.body
    return str(response.error["code"])
