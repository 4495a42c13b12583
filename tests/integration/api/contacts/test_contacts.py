"""GET /v1/contacts and GET /v1/contacts/{id}."""

import asyncio
import re
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from pydantic.alias_generators import to_camel

from api.http.contact_view import contact_view
from schemas.ids import read_id
from schemas.items.contacts import CONTACT_FIELDS
from schemas.settings import Settings
from storage.context import Context
from storage.entities import contacts
from tests.factories import phone
from tests.integration.api.contact_calls import UNKNOWN, create, list_contacts, patch, problems_of
from tests.integration.api.service import Client, Service, make_client

PARTNER_FIELDS = [
    "id", "name", "phoneNumber", "language", "metadata", "organizationId", "createdAt", "updatedAt",
]  # fmt: skip
SHOWN_FIRST = ("phone", "name", "language", "metadata")
OTHER_FIELDS = [to_camel(field.name) for field in CONTACT_FIELDS if field.name not in SHOWN_FIRST]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def names(page: Any) -> list[str | None]:
    return [contact["name"] for contact in page["data"]]


async def test_a_contact_shows_the_partners_fields_first(client: Client) -> None:
    made = await create(client, language="hi-in", metadata={"city": "Mumbai"})
    contact = (await client.get(f"/v1/contacts/{made['id']}")).json
    assert contact == made
    assert list(contact) == PARTNER_FIELDS + OTHER_FIELDS
    assert re.fullmatch(r"ctc_[0-9A-Z]{26}", contact["id"])
    assert contact["organizationId"] == f"org_{client.account.id}"
    assert MOMENT.fullmatch(contact["createdAt"])
    assert contact["updatedAt"] == contact["createdAt"]
    assert (contact["language"], contact["metadata"]) == ("hi-IN", {"city": "Mumbai"})
    assert (contact["communicationPreference"], contact["optedOut"]) == ("allow_all", False)


async def test_a_contact_is_found_by_its_id_or_its_number(client: Client) -> None:
    made = await create(client)
    number = read_id("ctc", made["id"])
    for name in (made["id"], made["id"].lower(), str(number)):
        assert (await client.get(f"/v1/contacts/{name}")).json == made


@pytest.mark.parametrize(
    "name",
    [UNKNOWN, "999999", "0", "-1", "9" * 30, "x", "lbl_00000000000000000000000001", "bulk", "%00", "é"],
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_malformed_or_unknown_id_is_a_404(client: Client, name: str, method: str) -> None:
    await create(client)
    body: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
    response = await client.call(method, f"/v1/contacts/{name}", **body)
    assert (response.status, response.error["code"]) == (404, "unknown_contact")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_foreign_contact_gets_the_404_of_an_unknown_one(
    ctx: Context, client: Client, session: aiohttp.ClientSession, method: str
) -> None:
    stranger = await make_client(ctx, session)
    theirs = await create(stranger)
    body = {"json": {"name": "Mine"}} if method == "PATCH" else {}
    response = await client.call(method, f"/v1/contacts/{theirs['id']}", **body)
    assert (response.status, response.error["code"]) == (404, "unknown_contact")
    unknown = await client.call(method, f"/v1/contacts/{UNKNOWN}", **body)
    assert response.error["message"].replace(theirs["id"], "") == unknown.error["message"].replace(
        UNKNOWN, ""
    )
    assert (await stranger.get(f"/v1/contacts/{theirs['id']}")).json == theirs


async def test_a_page_shows_the_total(client: Client) -> None:
    for number in range(5):
        await create(client, number)
    first = await list_contacts(client, limit=2)
    assert names(first) == ["Name 4", "Name 3"]
    assert {**first, "data": []} == {"data": [], "total": 5, "page": 1, "limit": 2, "totalPages": 3}
    last = await list_contacts(client, limit=2, page=3)
    assert (names(last), last["total"], last["page"]) == (["Name 0"], 5, 3)
    beyond = await list_contacts(client, limit=2, page=4)
    assert (beyond["data"], beyond["total"], beyond["totalPages"]) == ([], 5, 3)
    assert (await list_contacts(client, page=10**9))["total"] == 5


async def test_without_contacts_the_list_has_no_pages(client: Client) -> None:
    assert await list_contacts(client) == {"data": [], "total": 0, "page": 1, "limit": 20, "totalPages": 0}
    assert (await list_contacts(client, search="x"))["totalPages"] == 0


async def test_pages_do_not_move_when_contacts_change(client: Client) -> None:
    ids = [(await create(client, number))["id"] for number in range(6)]
    await patch(client, ids[0], name="Changed")
    seen = [c["id"] for page in (1, 2, 3) for c in (await list_contacts(client, limit=2, page=page))["data"]]
    assert seen == ids[::-1]


async def test_a_list_shows_the_account_s_own_contacts(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    stranger = await make_client(ctx, session)
    mine = await create(client, 1, name="Priya")
    await create(stranger, 1, name="Priya")
    for query in ({}, {"search": "priya"}, {"search": phone(1)}):
        page = await list_contacts(client, limit=1, **query)
        assert (page["data"], page["total"]) == ([mine], 1)


async def test_by_ids_keeps_the_order_of_the_ids(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    theirs = await create(await make_client(ctx, session), 3)
    made = [await create(client, number) for number in range(3)]
    ids = [read_id("ctc", contact["id"]) or 0 for contact in (made[2], theirs, made[0], made[1])]
    rows = await contacts.by_ids(ctx.pool, client.account.id, [*ids, 2**62])
    assert [row.id for row in rows] == [ids[0], ids[2], ids[3]]
    loud = Settings(communication_preferences=("loud",))
    assert contact_view(rows[0], loud).model_dump()["communicationPreference"] == "loud"


@pytest.mark.parametrize(
    ("query", "problems"),
    [
        ("page=0", {("page", "invalid_parameter")}),
        ("page=1000000001", {("page", "invalid_parameter")}),
        ("page=x&limit=101", {("page", "invalid_parameter"), ("limit", "invalid_parameter")}),
        ("limit=0", {("limit", "invalid_parameter")}),
        ("limit=", {("limit", "invalid_parameter")}),
        ("search=%00", {("search", "invalid_parameter")}),
        (f"search={'x' * 256}", {("search", "invalid_parameter")}),
        ("offset=1&limit=0", {("offset", "unknown_parameter"), ("limit", "invalid_parameter")}),
        ("page=1&page=2", {("page", "duplicate_parameter")}),
    ],
)
async def test_all_problems_of_a_query_are_reported(
    client: Client, query: str, problems: set[tuple[str, str]]
) -> None:
    assert problems_of(await client.get(f"/v1/contacts?{query}")) == problems


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/contacts?search=\xff",
        b"/v1/contacts?search=\xed\xa0\x80",
        b"/v1/contacts?search=%ED%A0%80",
        b"/v1/contacts?\xff=1",
        b"/v1/contacts/\xff",
        b"/v1/contacts/%ED%A0%80",
        b"/v1/contacts/%FF/labels?cursor=%FF",
    ],
)
async def test_a_request_that_is_not_utf_8_is_no_server_error(
    service: Service, client: Client, path: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    head = f" HTTP/1.1\r\nHost: x\r\nx-api-key: {client.key}\r\nConnection: close\r\n\r\n".encode()
    writer.write(b"GET " + path + head)
    response = await reader.read()
    writer.close()
    assert response.split(b" ", 2)[1] in {b"200", b"400", b"404", b"422"}, response


async def test_contacts_without_a_name_are_listed_and_found(ctx: Context, client: Client) -> None:
    await ctx.pool.execute(
        "INSERT INTO contacts (account_id, phone) VALUES ($1, $2)", client.account.id, phone(1)
    )
    page = await list_contacts(client, search=phone(1))
    assert (names(page), page["total"]) == ([None], 1)
    assert (await list_contacts(client, search="x"))["total"] == 0


async def test_metadata_is_shown_as_it_was_sent(ctx: Context, client: Client) -> None:
    metadata = {"big": 10**300, "small": 1e-300, "float": 1.5, "deep": [{"a": [None, True, "é"]}], "": ""}
    made = await create(client, metadata=metadata)
    assert made["metadata"] == metadata
    assert (await list_contacts(client))["data"][0]["metadata"] == metadata


@pytest.mark.parametrize("path", ["/v1/contacts/{id}", "/v1/contacts/{id}/labels"])
async def test_unknown_parameters_are_refused(client: Client, path: str) -> None:
    made = await create(client)
    response = await client.get(path.format(id=made["id"]) + f"?{quote('é')}=1")
    assert problems_of(response) == {("é", "unknown_parameter")}


@pytest.mark.parametrize("path", ["bulk", "bulk-delete", "add-to-audience", "lists"])
async def test_a_get_of_a_bulk_path_is_an_unknown_contact(client: Client, path: str) -> None:
    response = await client.get(f"/v1/contacts/{path}")
    assert (response.status, response.error["code"]) == (404, "unknown_contact")


async def test_a_contact_is_also_found_by_its_external_id(client: Client) -> None:
    made = await client.call(
        "POST", "/v1/contacts", json={"name": "N", "phoneNumber": "+14155552671", "externalId": "clxxx123"}
    )
    assert made.status == 201
    assert (await client.get("/v1/contacts/clxxx123")).json == made.json
    changed = await client.call("PATCH", "/v1/contacts/clxxx123", json={"language": "en"})
    assert (changed.status, changed.json["id"]) == (200, made.json["id"])
    assert (await client.get("/v1/contacts/clxxx123/labels")).status == 200
    for unknown in ("clxxx124", "ctc_clxxx123", "%00", "%FF", "14"):
        response = await client.get(f"/v1/contacts/{unknown}")
        assert (response.status, response.error["code"]) == (404, "unknown_contact")
    assert (await client.call("DELETE", "/v1/contacts/clxxx123")).json == {"success": True}
    assert (await client.get("/v1/contacts/clxxx123")).status == 404
