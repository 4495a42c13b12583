"""Everything about one contact is shown, and erased: no table says anything of it any more."""

import csv
import io
import json

import asyncpg
import pytest

from schemas.item_errors import ERASED
from storage.context import Context
from storage.deletion import contact_traces, erasures
from tests.factories import contact, make_job, make_list, phone
from tests.integration.api.owned import said_of
from tests.integration.api.service import Client, make_client
from tests.integration.api.work import work
from worker.deletion.erase_contacts import erase

KEEP = "?unknown_columns=keep"
NUMBER = phone(17)  # +14152000017
NATIONAL = "(415) 200-0017"
EXTERNAL_ID, EMAIL = "crm-4711-x", "ana.lima@example.com"
BROKEN = f'{{"phone": "{NATIONAL}", "name": "Lima\n{{"phone": 1, \n'
SECRETS = (NUMBER, NATIONAL, "4152000017", EXTERNAL_ID, EMAIL, EMAIL.upper(), "Lima")
ROWS = [
    ["phone", "name", "email", "Notes"],
    [phone(1), "Bo", "bo@example.com", "stays"],
    [NATIONAL, 'Ana "A" Lima', EMAIL.upper(), "two\nlines, of Lima"],
    ["12", "Wrong Lima", EMAIL, "fails"],
    [phone(2), "Cleo", "", "stays, too"],
]


async def known(client: Client) -> str:
    """Create the contact, and return its id."""
    made = await client.call(
        "POST", "/v1/contacts", json={"phoneNumber": NUMBER, "name": "Ana Lima", "email": EMAIL}
    )
    assert made.status == 201, made.body
    changed = await client.submit_items([{"phone": NUMBER, "external_id": EXTERNAL_ID}])
    assert changed.status == 202, changed.body
    return str(made.json["id"])


async def jobs_of_all_kinds(ctx: Context, client: Client) -> dict[str, str]:
    """Run jobs that store rows and failed items of the contact, beside others; return their paths."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(ROWS)
    lines = [
        {"phone": NUMBER, "name": "Ana Lima", "note": EMAIL},
        {"phone": phone(3), "name": "Dee"},
        {"id": "1", "external_id": EXTERNAL_ID, "age": "old"},
    ]
    bodies = {
        "csv": (text.getvalue().encode(), "text/csv", KEEP),
        "ndjson": ("\n".join(map(json.dumps, lines)).encode(), "application/x-ndjson", KEEP),
        "failed": (
            json.dumps([
                {"phone": NATIONAL, "birth_date": "never", "metadata": {"of": "Lima"}},
                {"phone": phone(5), "age": "old"},
                {"phone": "12", "email": EMAIL},
                {"phone": phone(6), "external_id": EXTERNAL_ID, "age": "old"},
            ]).encode(),
            "application/json",
            "",
        ),
        "broken": (BROKEN.encode(), "application/x-ndjson", ""),
    }  # fmt: skip
    found = {}
    for name, (body, type_, query) in bodies.items():
        response = await client.submit(body, type_, query)
        assert response.status == 202, response.body
        found[name] = response.headers["Location"]
        await work(ctx)
    return found


async def found_in(ctx: Context, client: Client) -> dict[str, list[str]]:
    """Return the tables that say something of the contact."""
    return await said_of(ctx.pool, client.account.id, SECRETS)


async def test_what_is_stored_of_a_contact_is_shown(ctx: Context, client: Client) -> None:
    contact_id = await known(client)
    paths = await jobs_of_all_kinds(ctx, client)
    list_id = await make_list(ctx, client.account.id)
    await client.call(
        "PUT",
        f"/v1/contacts/lists/{list_id}/contacts",
        json={"action": "add", "contacts": [{"phone": NUMBER}]},
    )
    await work(ctx)
    response = await client.get(f"/v1/contacts/{contact_id}/data")
    assert response.status == 200, response.body
    data = response.json
    assert (data["contact"]["id"], data["contact"]["email"]) == (contact_id, EMAIL.upper())
    assert data["not_searched"] == {"jobs": 0, "uploads": 0}
    assert {row["item"]["Notes"] for row in data["rows"] if "Notes" in row["item"]} == {
        "two\nlines, of Lima", "fails"
    }  # fmt: skip
    names = {path.rpartition("/")[2]: name for name, path in paths.items()}
    where = sorted((names[error["job_id"]], error["index"]) for error in data["errors"])
    assert where == [("broken", 0), ("csv", 2), ("failed", 0), ("failed", 2), ("failed", 3), ("ndjson", 2)]
    assert sorted((names[row["job_id"]], row["index"]) for row in data["rows"]) == [
        ("csv", 1), ("csv", 2), ("ndjson", 0), ("ndjson", 2)
    ]  # fmt: skip
    assert {result["job_id"] for result in data["results"]} >= {
        paths[name].rpartition("/")[2] for name in ("csv", "ndjson")
    }


async def test_after_an_erasure_no_table_says_anything_of_the_contact(ctx: Context, client: Client) -> None:
    contact_id = await known(client)
    paths = await jobs_of_all_kinds(ctx, client)
    assert set(await found_in(ctx, client)) == {
        "contacts", "item_errors", "kept_parts", "before_images", "single_changes"
    }  # fmt: skip
    before = {name: await client.get(path) for name, path in paths.items()}

    asked = await client.call("DELETE", f"/v1/contacts/{contact_id}/data")
    assert (asked.status, asked.json["state"]) == (202, "waiting")
    again = await client.call("DELETE", f"/v1/contacts/{contact_id}/data")
    assert (again.status, again.json["id"]) == (202, asked.json["id"])
    await erase(ctx)
    assert await found_in(ctx, client) == {}

    done = (await client.get(f"/v1/erasures/{asked.json['id']}")).json
    assert (done["state"], done["contact_id"], done["waits_for"]) == ("completed", contact_id, None)
    assert done["erased"] >= 6 + 4  # failed items and kept rows, and images
    assert done["finished_at"] is not None
    assert (await client.get(f"/v1/contacts/{contact_id}")).status == 404
    assert (await client.get(f"/v1/contacts/{contact_id}/data")).status == 404
    assert (await client.call("DELETE", f"/v1/contacts/{contact_id}/data")).json["id"] == done["id"]
    for name, path in paths.items():
        assert (await client.get(path)).json["counts"] == before[name].json["counts"]
    await _others_are_kept(client, paths)


async def _others_are_kept(client: Client, paths: dict[str, str]) -> None:
    """Assert that the rows and failed items of others are where they were, as they were."""
    kept = list(
        csv.reader(io.StringIO((await client.get(f"{paths['csv']}/results?format=csv")).body.decode()))
    )
    assert [row[:4] for row in kept[1::3]] == [ROWS[1], ROWS[4]]
    assert [set("".join(row[:4])) for row in kept[2:4]] == [{"*"}, {"*"}]
    assert [row[4] for row in kept[1:]] == ["0", "1", "2", "3"]
    rows = (await client.get(f"{paths['ndjson']}/results?format=ndjson")).body.decode().splitlines()
    assert [json.loads(row)["item"] for row in rows] == [{}, {"phone": phone(3), "name": "Dee"}, {}]
    errors = (await client.get(f"{paths['failed']}/errors")).json["data"]
    assert [error["item"] for error in errors] == [None, {"phone": phone(5), "age": "old"}, None, None]
    assert errors[0]["message"] == ERASED
    assert (errors[0]["code"], errors[0]["field"]) == ("invalid_birth_date", "birth_date")


async def test_an_erasure_waits_for_what_was_there_before_it(ctx: Context, client: Client) -> None:
    contact_id = await known(client)
    await client.call("POST", "/v1/uploads?operation=contacts.upsert", data=b"x", headers=UNFINISHED)
    asked = (await client.call("DELETE", f"/v1/contacts/{contact_id}/data")).json
    assert asked["waits_for"] == {"jobs": 1, "uploads": 1}
    await erase(ctx)
    assert (await client.get(f"/v1/contacts/{contact_id}")).status == 200
    later = await client.submit_items([contact(17, name="New data")])
    await ctx.pool.execute("UPDATE resumable_uploads SET has_pieces = false")
    await ctx.pool.execute("UPDATE erasures SET due_at = now()")
    await erase(ctx)
    assert (await client.get(f"/v1/erasures/{asked['id']}")).json["waits_for"] == {"jobs": 1, "uploads": 0}
    await work(ctx)
    await ctx.pool.execute("UPDATE erasures SET due_at = now()")
    await erase(ctx)
    assert (await client.get(f"/v1/erasures/{asked['id']}")).json["state"] == "completed"
    assert (await client.get(later.headers["Location"])).json["state"] == "completed"


UNFINISHED = {"Upload-Complete": "?0", "Content-Type": "text/csv"}


async def test_an_erasure_that_dies_in_any_step_is_ended_by_others(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_traces, "ERRORS", 1)
    contact_id = await known(client)
    await jobs_of_all_kinds(ctx, client)
    asked = (await client.call("DELETE", f"/v1/contacts/{contact_id}/data")).json

    def die(_step: str) -> None:
        raise asyncpg.ConnectionDoesNotExistError

    state, steps = "waiting", 0
    while state != "completed":
        with monkeypatch.context() as patch:
            patch.setattr(erasures, "reach", die)
            with pytest.raises(asyncpg.ConnectionDoesNotExistError):
                await erasures.advance(ctx.pool)
        await ctx.pool.execute("UPDATE erasures SET due_at = now()")
        assert await erasures.advance(ctx.pool)
        steps += 1
        state = (await client.get(f"/v1/erasures/{asked['id']}")).json["state"]
    assert steps > 10
    assert await found_in(ctx, client) == {}


async def test_another_account_keeps_its_contact_with_the_same_phone(ctx: Context, client: Client) -> None:
    other = await make_client(ctx, client._session)
    contact_id, theirs = await known(client), await known(other)
    for one in (client, other):
        await jobs_of_all_kinds(ctx, one)
    foreign = await client.call("DELETE", f"/v1/contacts/{theirs}/data")
    assert (foreign.status, foreign.error["code"]) == (404, "unknown_contact")
    before = await other.get(f"/v1/contacts/{theirs}/data")
    asked = (await client.call("DELETE", f"/v1/contacts/{contact_id}/data")).json
    await erase(ctx)
    assert (await client.get(f"/v1/erasures/{asked['id']}")).json["state"] == "completed"
    assert (await other.get(f"/v1/erasures/{asked['id']}")).error["code"] == "unknown_erasure"
    assert (await other.get(f"/v1/contacts/{theirs}/data")).body == before.body


async def test_a_job_of_the_contact_runs_as_before_when_it_is_new_data(ctx: Context, client: Client) -> None:
    contact_id = await known(client)
    await work(ctx)
    await client.call("DELETE", f"/v1/contacts/{contact_id}/data")
    await erase(ctx)
    await make_job(ctx, client.account.id, [contact(17)])
    await work(ctx)
    (found,) = (await client.get(f"/v1/contacts?search={NUMBER[1:]}")).json["data"]
    assert found["id"] != contact_id


async def test_items_that_were_erased_are_not_sent_again(ctx: Context, client: Client) -> None:
    contact_id = await known(client)
    paths = await jobs_of_all_kinds(ctx, client)
    await client.call("DELETE", f"/v1/contacts/{contact_id}/data")
    await erase(ctx)
    again = await client.call("POST", f"{paths['failed']}/retry")
    assert (again.status, again.json["total"]) == (202, 1), again.body
    await work(ctx)
    errors = (await client.get(f"{again.headers['Location']}/errors")).json["data"]
    assert [error["item"] for error in errors] == [{"phone": phone(5), "age": "old"}]
    nothing = await client.call("POST", f"{paths['ndjson']}/retry")
    assert (nothing.status, nothing.error["code"]) == (409, "nothing_to_retry")
    nothing = await client.call("POST", f"{paths['csv']}/retry")
    assert (nothing.status, nothing.error["code"]) == (409, "nothing_to_retry")


async def test_items_that_were_erased_are_empty_in_files_of_failed_items(
    ctx: Context, client: Client
) -> None:
    contact_id = await known(client)
    paths = await jobs_of_all_kinds(ctx, client)
    await client.call("DELETE", f"/v1/contacts/{contact_id}/data")
    await erase(ctx)
    for name, erased in (("failed", 3), ("csv", 1)):
        rows = list(
            csv.DictReader(io.StringIO((await client.get(f"{paths[name]}/errors?format=csv")).body.decode()))
        )
        said = [[value for value in row.values() if value and value != ERASED] for row in rows]
        assert sum("phone" in row and not row["phone"] for row in rows) == erased, rows
        assert not any({"None", "null"} & set(values) for values in said)
    lines = (await client.get(f"{paths['failed']}/errors?format=ndjson")).body.decode().splitlines()
    assert json.loads(lines[0]) == {"error_code": "invalid_birth_date", "error_message": ERASED}


async def test_a_contact_whose_phone_has_moved_is_erased(ctx: Context, client: Client) -> None:
    contact_id = await known(client)
    await client.call("PATCH", f"/v1/contacts/{contact_id}", json={"externalId": EXTERNAL_ID})
    moved = {"external_id": EXTERNAL_ID, "phone": phone(3)}
    await client.submit_items([moved, {"phone": "12", "name": "Lima"}], "?match_on=external_id")
    await work(ctx)
    asked = await client.call("DELETE", f"/v1/contacts/{contact_id}/data")
    await erase(ctx)
    assert (await client.get(f"/v1/erasures/{asked.json['id']}")).json["state"] == "completed"
    assert await ctx.pool.fetchval("SELECT count(*) FROM before_images") == 0
