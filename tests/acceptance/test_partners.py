"""The example requests of the four partners, sent as exact bytes, get the documented responses.

Only host, key and the ids of resources (labels, lists and so on) are replaced.
"""

import re

import pytest

from tests.acceptance.partner_requests import (
    ADD_TO_AUDIENCE,
    BULK,
    BULK_DELETE,
    CREATE,
    DELETE,
    LABEL,
    LIST,
    POST,
    PREFERENCES,
    UPDATE,
    Caller,
)

WAITING = pytest.mark.parametrize("wait", [True, False], ids=["Prefer: wait=10", "without"])


@WAITING
async def test_preferences_of_peach(caller: Caller, wait: bool) -> None:
    alfred = {
        "name": "Alfred Hitchcock",
        "phone_number": "+919876543210",
        "email": "alfred@example.com",
        "age": None,
        "gender": None,
        "language": "en",
        "nickname": None,
        "opted_out": False,
        "communication_preference": "mute_all",
        "timezone": None,
        "metadata": {"source": "website"},
    }
    await caller.make(
        "/v1/contacts",
        '{"name": "Alfred Hitchcock", "phoneNumber": "+919876543210", "email": "alfred@example.com",'
        ' "language": "en", "metadata": {"source": "website"}}',
    )
    await caller.make("/v1/contacts", '{"name": "Second", "phoneNumber": "+919876543211"}')
    response = await caller.send(PREFERENCES, wait=wait)
    if not wait:
        job = await caller.ended(response)
        assert (job["state"], job["counts"]["updated"]) == ("completed", 2)
        response = await caller.send(PREFERENCES, wait=True)
    assert (response.status, response.headers["preference-applied"]) == (200, "wait=10")
    body = response.json
    assert (body["total_requested"], body["updated_count"], body["error_count"], body["errors"]) == (
        2,
        2,
        0,
        [],
    )
    first, second = body["updated_contacts"]
    assert isinstance(first["id"], int)
    assert first == {"id": first["id"], **alfred}
    assert (second["phone_number"], second["communication_preference"]) == ("+919876543211", "mute_all")


@WAITING
async def test_preferences_of_peach_with_an_unknown_contact(caller: Caller, wait: bool) -> None:
    await caller.make("/v1/contacts", '{"name": "Known", "phoneNumber": "+919876543210"}')
    response = await caller.send(PREFERENCES, wait=wait)
    if not wait:
        job = await caller.ended(response)
        assert (job["state"], job["counts"]["updated"]) == ("completed_with_errors", 1)
        assert job["errors"][0]["code"] == "contact_not_found"
        return
    assert response.status == 207
    body = response.json
    assert [contact["phone_number"] for contact in body["updated_contacts"]] == ["+919876543210"]
    (error,) = body["errors"]
    assert (error["index"], error["phone_number"], error["code"]) == (1, "+919876543211", "contact_not_found")
    assert (body["total_requested"], body["updated_count"], body["error_count"]) == (2, 1, 1)


@WAITING
async def test_list_of_whippy(caller: Caller, wait: bool) -> None:
    channel = (await caller.make("/v1/channels", '{"name": "Main", "phone": "+14155550100"}'))["id"]
    await caller.make("/v1/channels", '{"name": "Other"}')  # no contact is opted in to it
    await caller.make("/v1/properties", '{"name": "plan", "type": "enum", "options": ["gold", "silver"]}')
    list_id = (await caller.make("/v1/contact-lists", '{"name": "Spring"}'))["id"]
    response = await caller.send(LIST, wait=wait, channel=channel, list=list_id)
    if wait:
        assert response.status == 200
        assert response.json == {
            "data": {
                "message": "Contact list contacts are being updated",
                "list_id": list_id,
                "added": 2,
                "removed": 0,
                "created": 2,
                "updated": 0,
                "failed": 0,
            },
            "errors": [],
        }
    else:
        assert (await caller.ended(response))["counts"]["created"] == 2
    ada, second = (await caller.get(f"/v1/contact-lists/{list_id}/members"))["data"]
    assert (ada["name"], ada["birthDate"], ada["externalId"]) == ("Ada Lovelace", "1990-05-17", "crm-1")
    assert (ada["defaultChannelId"], ada["properties"]) == (channel, {"plan": "gold"})
    assert ada["address"]["post_code"] == "73301"
    opted = await caller.get(f"/v1/contacts/{second['id']}/opt-ins")
    assert [(row["channel_id"], row["opted_in"]) for row in opted["data"]] == [(channel, True)]


async def test_the_three_actions_of_whippy(caller: Caller) -> None:
    list_id = (await caller.make("/v1/contact-lists", '{"name": "Spring"}'))["id"]
    path = f"/v1/contacts/lists/{list_id}/contacts"

    async def act(action: str, *phones: str) -> tuple[int, int, int]:
        contacts = ", ".join(f'{{"phone": "{phone}"}}' for phone in phones)
        body = f'{{"action": "{action}", "contacts": [{contacts}]}}'
        response = await caller.send(POST, wait=True, path=path, body=body)
        assert response.status == 200, response.body
        data = response.json["data"]
        return data["added"], data["removed"], data["created"]

    assert await act("add", "+919876543210", "+919876543211") == (2, 0, 2)
    assert await act("add", "+919876543211", "+919876543212") == (1, 0, 1)
    assert await act("remove", "+919876543210", "+919876543213") == (0, 1, 1)
    assert await act("overwrite", "+919876543212", "+919876543214") == (1, 1, 1)
    members = (await caller.get(f"/v1/contact-lists/{list_id}/members"))["data"]
    assert {row["phoneNumber"] for row in members} == {"+919876543212", "+919876543214"}
    assert (await caller.get(f"/v1/contact-lists/{list_id}"))["contact_count"] == 2


@WAITING
async def test_label_of_kirim(caller: Caller, wait: bool) -> None:
    contact = await caller.make("/v1/contacts", '{"name": "Known", "phoneNumber": "+919876543210"}')
    label = (await caller.make("/v1/labels", '{"name": "VIP", "colour": "#ff0000"}'))["id"]
    response = await caller.send(LABEL, wait=wait, contact=contact["id"], label=label)
    if wait:
        assert response.status == 200
        assert response.json == {
            "data": {"applied": 1, "skipped_cross_org": 0, "skipped_team_mismatch": 0},
            "request_id": response.headers["x-request-id"],
        }
    else:
        assert (await caller.ended(response))["counts"]["updated"] == 1
    assert (await caller.get(f"/v1/labels/{label}"))["contact_count"] == 1


async def test_skipped_contacts_of_kirim(caller: Caller) -> None:
    team, foreign = [(await caller.make("/v1/teams", f'{{"name": "{name}"}}'))["id"] for name in "AB"]
    label = (await caller.make("/v1/labels", f'{{"name": "VIP", "team_id": "{team}"}}'))["id"]
    mine, theirs = [
        (
            await caller.make(
                "/v1/contacts", f'{{"name": "N", "phoneNumber": "+91987654321{n}", "teamId": "{owner}"}}'
            )
        )["id"]
        for n, owner in enumerate((team, foreign))
    ]
    request = LABEL.replace('"<contact>"', f'"{mine}", "{theirs}", "example"')
    response = await caller.send(request, wait=True, label=label)
    assert response.status == 200
    assert response.json["data"] == {"applied": 1, "skipped_cross_org": 1, "skipped_team_mismatch": 1}
    detached = await caller.send(request.replace("attach", "detach"), wait=True, label=label)
    assert detached.json["data"] == {"applied": 1, "skipped_cross_org": 1, "skipped_team_mismatch": 1}
    assert (await caller.get(f"/v1/labels/{label}"))["contact_count"] == 0


async def test_single_contacts_of_oliai(caller: Caller) -> None:
    created = await caller.send(CREATE)
    assert created.status == 201
    contact = created.json
    assert contact["name"] == "Priya Sharma"
    assert (contact["phoneNumber"], contact["language"]) == ("+919876543210", "hi-IN")
    assert contact["metadata"] == {"city": "Mumbai", "tier": "premium"}
    assert re.fullmatch(r"org_\d+", contact["organizationId"])
    for name in ("createdAt", "updatedAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", contact[name])
    assert await caller.get(f"/v1/contacts/{contact['id']}") == contact
    again = await caller.send(CREATE)
    assert (again.status, again.json["error"]["type"]) == (409, "conflict")
    page = await caller.get("/v1/contacts?page=1&limit=20&search=priya")
    assert page == {"data": [contact], "total": 1, "page": 1, "limit": 20, "totalPages": 1}
    updated = await caller.send(UPDATE, contact=contact["id"])
    assert updated.status == 200
    assert updated.json == contact | {
        "language": "en-IN",
        "metadata": {"city": "Delhi", "tier": "standard"},
        "updatedAt": updated.json["updatedAt"],
    }
    deleted = await caller.send(DELETE, contact=contact["id"])
    assert (deleted.status, deleted.json) == (200, {"success": True})
    assert (await caller.send(DELETE, contact=contact["id"])).status == 404


@WAITING
async def test_bulk_creation_of_oliai(caller: Caller, wait: bool) -> None:
    response = await caller.send(BULK, wait=wait)
    if not wait:
        assert (await caller.ended(response))["counts"]["created"] == 2
        return
    assert response.status == 200
    body = response.json
    assert {name: body[name] for name in ("created", "updated", "failed", "errors")} == {
        "created": 2,
        "updated": 0,
        "failed": 0,
        "errors": [],
    }
    assert [contact["name"] for contact in body["contacts"]] == ["Priya Sharma", "Ravi Kumar"]
    assert body["contacts"][0] == await caller.get(f"/v1/contacts/{body['contacts'][0]['id']}")
    again = await caller.send(BULK.replace("en-IN", "hi-IN"), wait=True)
    assert (again.json["created"], again.json["updated"]) == (0, 2)


async def test_the_other_contacts_are_created_if_some_fail(caller: Caller) -> None:
    response = await caller.send(BULK.replace("+919876543210", "12").replace('"Ravi Kumar"', "17"), wait=True)
    assert response.status == 207
    body = response.json
    assert (body["created"], body["failed"], body["contacts"]) == (0, 2, [])
    assert [(error["index"], error["code"]) for error in body["errors"]] == [
        (0, "phone_too_short"),
        (1, "wrong_type"),
    ]
    assert all(error["reason"] for error in body["errors"])
    nameless = await caller.send(BULK.replace('"name": "Ravi Kumar",', ""), wait=True)
    assert (nameless.status, nameless.json["created"]) == (207, 1)
    assert nameless.json["errors"][0]["code"] == "missing_field"


async def _make_migrated_contacts(caller: Caller) -> None:
    """Create contacts that were migrated from oliai, each with its old id as external id."""
    for number, old in enumerate(("clxxx123", "clxxx456", "clxxx789")):
        await caller.make(
            "/v1/contacts", f'{{"name": "N", "phoneNumber": "+91987654321{number}", "externalId": "{old}"}}'
        )


@WAITING
async def test_bulk_deletion_of_oliai(caller: Caller, wait: bool) -> None:
    await _make_migrated_contacts(caller)
    response = await caller.send(BULK_DELETE, wait=wait)
    if wait:
        assert (response.status, response.json) == (200, {"deleted": 3})
    else:
        assert (await caller.ended(response))["state"] == "completed"
    assert (await caller.get("/v1/contacts"))["total"] == 0
    again = await caller.send(BULK_DELETE, wait=True)
    assert (again.status, again.json["deleted"], len(again.json["errors"])) == (207, 0, 3)


@WAITING
async def test_add_to_audience_of_oliai(caller: Caller, wait: bool) -> None:
    await _make_migrated_contacts(caller)
    audience = (await caller.make("/v1/audiences", '{"name": "Premium"}'))["id"]
    response = await caller.send(ADD_TO_AUDIENCE, wait=wait, audience=audience)
    if wait:
        assert (response.status, response.json) == (200, {"audienceId": audience, "contactCount": 2})
    else:
        assert (await caller.ended(response))["state"] == "completed"
    deleted = await caller.send(BULK_DELETE, wait=True)
    assert deleted.json == {"deleted": 3}
    assert (await caller.get(f"/v1/audiences/{audience}"))["contact_count"] == 0


async def test_the_31st_bulk_request_of_a_minute_is_refused(caller: Caller) -> None:
    for _ in range(30):
        assert (await caller.send(PREFERENCES)).status == 202
    refused = await caller.send(PREFERENCES)
    assert (refused.status, refused.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert (await caller.get("/v1/contacts"))["total"] == 0  # requests that read are not refused
