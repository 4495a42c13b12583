"""GET /v1/contacts/{id}/history."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from schemas.settings import Settings
from storage.context import Context
from storage.inspection import contact_history
from tests.factories import contact, make_channel, make_list, phone
from tests.integration.api.contact_calls import UNKNOWN, create, patch
from tests.integration.api.service import Client, make_client, serve
from tests.integration.api.work import work

JOB = f"job_{26 * '0'}"


async def history(client: Client, contact_id: str, cursor: str | None = None) -> Any:
    """Return a page of the history of a contact."""
    query = {"cursor": cursor} if cursor else {}
    response = await client.call("GET", f"/v1/contacts/{contact_id}/history", params=query)
    assert response.status == 200, response.body
    return response.json


async def entries(client: Client, contact_id: str) -> list[Any]:
    """Return the whole history of a contact, read by its pages."""
    found, cursor = [], None
    while True:
        page = await history(client, contact_id, cursor)
        found += page["data"]
        if not (cursor := page["next_cursor"]):
            return found


async def submit(client: Client, operation: str, made: Any) -> None:
    """Submit a job whose only item is a contact."""
    items = [{"phone": made["phoneNumber"]}]
    assert (await client.call("POST", f"/v1/bulk/{operation}", json=items)).status == 202


def shown(entry: Any) -> tuple[str, list[Any]]:
    """Return who changed the contact, and the changes as (field, old, new)."""
    who = entry["job"]["operation"] if entry["job"] else entry["by"]["request_id"][:4]
    return who, sorted((change["field"], change["old"], change["new"]) for change in entry["changes"])


async def test_jobs_and_requests_are_listed_with_what_they_changed(ctx: Context, client: Client) -> None:
    made = await create(client, name="Ana", metadata={"a": 1})
    await patch(client, made["id"], name="Bo", metadata={"b": 2}, optedOut=True, age=7)
    item = {"phone": made["phoneNumber"], "name": "Cy", "age": 8}
    job = (await client.submit_items([contact(5), item])).json
    await work(ctx)
    newest, changed, created = await entries(client, made["id"])
    assert shown(newest) == ("contacts.upsert", [("age", 7, 8), ("name", "Bo", "Cy")])
    assert newest["job"] == {
        "id": job["id"], "name": None, "operation": "contacts.upsert", "state": "completed",
        "item_index": 1, "outcome": "updated",
    }  # fmt: skip
    assert shown(changed) == ("req_", [
        ("age", None, 7), ("metadata", {"a": 1}, {"a": 1, "b": 2}), ("name", "Ana", "Bo"),
        ("opted_out", False, True),
    ])  # fmt: skip
    assert (changed["by"]["kind"], changed["by"]["address"]) == ("key", "127.0.0.1")
    assert changed["by"]["key_id"] is not None
    ((field, old, new),) = shown(created)[1]
    assert (field, old) == ("contact", None)
    assert (new["name"], new["metadata"], new["opted_out"]) == ("Ana", {"a": 1}, False)


async def test_a_moved_phone_is_one_change(ctx: Context, client: Client) -> None:
    made = await create(client, externalId="a")
    await client.submit_items([{"external_id": "a", "phone": phone(2)}], "?match_on=external_id")
    await work(ctx)
    moved, _ = await entries(client, made["id"])
    assert shown(moved) == ("contacts.upsert", [("phone", made["phoneNumber"], phone(2))])


async def test_memberships_and_opt_ins_are_changes_too(ctx: Context, client: Client) -> None:
    made = await create(client)
    channel = await make_channel(ctx, client.account.id)
    list_id = await make_list(ctx, client.account.id)
    url = f"/v1/contacts/{made['id']}/opt-ins/{channel}"
    for opted_in in (True, False):
        await client.call("PUT", url, json={"opted_in": opted_in, "by": "contact"})
    query = f"?list_id={list_id}&opt_in_to={channel}&override_opt_outs=true"
    await submit(client, "lists.add" + query, made)
    await work(ctx)
    job, left, joined, _ = await entries(client, made["id"])
    field, ours = f"channel:{channel}", {"opted_in": True, "by": "contact"}
    gone = {"opted_in": False, "by": "contact"}
    assert shown(joined)[1] == [(field, None, ours)]
    assert shown(left)[1] == [(field, ours, gone)]
    opted, member = job["changes"][::-1]
    assert (opted["field"], opted["old"], opted["new"]) == (field, gone, {"opted_in": True, "by": "account"})
    assert member["field"].startswith("list:lst_")
    assert member["old"] is None
    assert member["new"].startswith("20")


async def test_a_deleted_contact_has_a_history(ctx: Context, client: Client) -> None:
    made, other = await create(client, name="Ana"), await create(client, 2)
    assert (await client.call("DELETE", f"/v1/contacts/{made['id']}")).status == 200
    deleted, _ = await entries(client, made["id"])
    ((field, old, new),) = shown(deleted)[1]
    assert (field, old["name"], new) == ("contact", "Ana", None)
    await submit(client, "contacts.delete", other)
    await work(ctx)
    deleted, _ = await entries(client, other["id"])
    assert deleted["changes"][0]["old"]["phone"] == other["phoneNumber"]


async def test_pages_show_each_entry_once_and_look_at_a_bounded_number_of_rows(
    ctx: Context, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_history, "LOOKED_IMAGES", 3)
    monkeypatch.setattr(contact_history, "SINGLE_CHANGES", 4)
    made = await create(client)
    names = ["none"]
    for number in range(6):
        for turn in range(2):
            names.append(f"single {number} {turn}")
            await patch(client, made["id"], name=names[-1])
        names.append(f"job {number}")
        item = {"phone": made["phoneNumber"], "name": names[-1], "age": number}
        await client.submit_items([item, contact(7, name=f"{number}")])
        await work(ctx)
    found = await entries(client, made["id"])
    changed = [change["new"] for entry in found for change in entry["changes"] if change["field"] == "name"]
    assert changed == names[:0:-1]
    outcomes = [entry["job"]["outcome"] for entry in found if entry["job"] and entry["job"]["outcome"]]
    assert outcomes == ["updated"] * 6


async def test_a_contact_of_which_nothing_is_known_is_a_404(client: Client) -> None:
    response = await client.get(f"/v1/contacts/{UNKNOWN}/history")
    assert (response.status, response.error["code"]) == (404, "unknown_contact")


@pytest.mark.parametrize("cursor", ["x", "job_1.2.3.4", "1.2.3", f"{JOB}.1.2", f"{JOB}.1.2.x"])
async def test_a_wrong_cursor_is_refused(client: Client, cursor: str) -> None:
    made = await create(client)
    response = await client.call("GET", f"/v1/contacts/{made['id']}/history", params={"cursor": cursor})
    assert (response.status, response.error["param"]) == (422, "cursor")


@pytest.fixture
async def forgetful(ctx: Context, settings: Settings) -> AsyncIterator[Client]:
    """Return a client of a service with UNDO_DAYS=0."""
    async with (
        serve(settings.model_copy(update={"undo_days": 0})) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        yield await make_client(ctx, session)


async def test_without_undo_days_no_single_change_is_kept(ctx: Context, forgetful: Client) -> None:
    made = await create(forgetful, name="Ana")
    await patch(forgetful, made["id"], name="Bo")
    assert await entries(forgetful, made["id"]) == []
    assert (await forgetful.call("DELETE", f"/v1/contacts/{made['id']}")).status == 200
    assert await ctx.pool.fetchval("SELECT count(*) FROM single_changes") == 0
