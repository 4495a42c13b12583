"""Members of lists, labels and audiences; lists, labels and audiences of a contact."""

from typing import Any

import aiohttp
import pytest

from schemas.ids import read_id, show_id
from storage.context import Context
from tests.integration.api.contact_calls import UNKNOWN, add_members, create, make, problems_of
from tests.integration.api.service import Client, make_client

OWNERS = ["/v1/contact-lists", "/v1/labels", "/v1/audiences"]
CODES = {
    "/v1/contact-lists": "unknown_list",
    "/v1/labels": "unknown_label",
    "/v1/audiences": "unknown_audience",
}
OF_CONTACT = {"/v1/contact-lists": "lists", "/v1/labels": "labels", "/v1/audiences": "audiences"}


async def walk(client: Client, path: str, limit: int) -> list[list[Any]]:
    """Return the ids on each page."""
    pages: list[list[Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get(f"{path}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))).json
        pages.append([entry["id"] for entry in page["data"]])
        cursor = page["next_cursor"]
    return pages


@pytest.mark.parametrize("path", OWNERS)
async def test_members_are_contacts_in_pages(ctx: Context, client: Client, path: str) -> None:
    contacts = [await create(client, number) for number in range(5)]
    owner, other = await make(client, path, name="Mine"), await make(client, path, name="Other")
    assert (await client.get(f"{path}/{owner}/members")).json == {"data": [], "next_cursor": None}
    await add_members(ctx, client, owner, *(contact["id"] for contact in contacts[:4]))
    await add_members(ctx, client, other, contacts[4]["id"])
    page = (await client.get(f"{path}/{owner}/members")).json
    assert page == {"data": contacts[:4], "next_cursor": None}
    ids = [contact["id"] for contact in contacts[:4]]
    assert await walk(client, f"{path}/{owner}/members", 3) == [ids[:3], ids[3:]]
    assert await walk(client, f"{path}/{owner}/members", 2) == [ids[:2], ids[2:]]
    assert await walk(client, f"{path}/{read_id(path_prefix(path), owner)}/members", 4) == [ids]


def path_prefix(path: str) -> Any:
    return {"/v1/contact-lists": "lst", "/v1/labels": "lbl", "/v1/audiences": "aud"}[path]


async def test_a_cursor_stays_valid_after_its_contact_is_deleted(ctx: Context, client: Client) -> None:
    ids = [(await create(client, number))["id"] for number in range(4)]
    owner = await make(client, "/v1/labels", name="VIP")
    await add_members(ctx, client, owner, *ids)
    path = f"/v1/labels/{owner}/members?limit=2"
    cursor = (await client.get(path)).json["next_cursor"]
    await client.call("DELETE", f"/v1/contacts/{cursor}")
    page = (await client.get(f"{path}&cursor={cursor}")).json
    assert ([entry["id"] for entry in page["data"]], page["next_cursor"]) == (ids[2:], None)


async def test_a_long_page_is_read_in_slices(ctx: Context, client: Client) -> None:
    owner = await make(client, "/v1/audiences", name="All")
    await ctx.pool.execute(
        """WITH made AS (
               INSERT INTO contacts (account_id, phone)
               SELECT $1, '+1415' || (2000000 + n) FROM generate_series(1, 1203) n RETURNING id)
           INSERT INTO memberships (account_id, kind, owner_id, contact_id)
           SELECT $1, 'audience', $2, id FROM made""",
        client.account.id,
        read_id("aud", owner),
    )
    rows = await ctx.pool.fetch("SELECT id FROM contacts ORDER BY id")
    ids = [show_id("ctc", row["id"]) for row in rows]
    path = f"/v1/audiences/{owner}/members"
    assert await walk(client, path, 1000) == [ids[:1000], ids[1000:]]
    assert await walk(client, path, 401) == [ids[:401], ids[401:802], ids[802:]]
    assert [len(page) for page in await walk(client, path, 200)] == [200] * 6 + [3]


async def test_a_page_of_large_contacts_ends_early(ctx: Context, client: Client) -> None:
    owner = await make(client, "/v1/contact-lists", name="Large")
    await ctx.pool.execute(
        """WITH made AS (
               INSERT INTO contacts (account_id, phone, metadata)
               SELECT $1, '+1415' || (2000000 + n), jsonb_build_object('x', repeat('x', 65000))
               FROM generate_series(1, 250) n RETURNING id)
           INSERT INTO memberships (account_id, kind, owner_id, contact_id)
           SELECT $1, 'list', $2, id FROM made""",
        client.account.id,
        read_id("lst", owner),
    )
    pages = await walk(client, f"/v1/contact-lists/{owner}/members", 1000)
    assert [len(page) for page in pages] == [100, 100, 50]
    assert len({id_ for page in pages for id_ in page}) == 250


@pytest.mark.parametrize("path", OWNERS)
async def test_unknown_and_foreign_owners_get_the_same_404(
    ctx: Context, client: Client, session: aiohttp.ClientSession, path: str
) -> None:
    stranger = await make_client(ctx, session)
    theirs = await make(stranger, path, name="Theirs")
    await add_members(ctx, stranger, theirs, (await create(stranger))["id"])
    for name in (theirs, "999999", UNKNOWN, "x", "0"):
        response = await client.get(f"{path}/{name}/members")
        assert (response.status, response.error["code"]) == (404, CODES[path])


@pytest.mark.parametrize("path", OWNERS)
async def test_the_memberships_of_a_contact_are_paged(ctx: Context, client: Client, path: str) -> None:
    contact, other = (await create(client, 1))["id"], (await create(client, 2))["id"]
    for other_path in set(OWNERS) - {path}:  # with the same numeric ids
        for number in range(4):
            await make(client, other_path, name=f"N{number}")
    owners = [await make(client, path, name=f"N{number}") for number in range(4)]
    for owner in owners[:3]:
        await add_members(ctx, client, owner, contact)
    await add_members(ctx, client, owners[3], other)
    mine = f"/v1/contacts/{contact}/{OF_CONTACT[path]}"
    assert await walk(client, mine, 2) == [owners[:2], owners[2:3]]
    assert await walk(client, mine, 3) == [owners[:3]]
    page = (await client.get(mine)).json
    assert page["data"] == [(await client.get(f"{path}/{owner}")).json for owner in owners[:3]]
    assert page["data"][0]["contact_count"] == 1
    for kind in set(OF_CONTACT.values()) - {OF_CONTACT[path]}:
        assert (await client.get(f"/v1/contacts/{contact}/{kind}")).json["data"] == []


async def test_an_archived_list_still_shows_its_members(ctx: Context, client: Client) -> None:
    contact = await create(client)
    owner = await make(client, "/v1/contact-lists", name="Old")
    await add_members(ctx, client, owner, contact["id"])
    await client.call("POST", f"/v1/contact-lists/{owner}/archive")
    assert (await client.get(f"/v1/contact-lists/{owner}/members")).json["data"] == [contact]
    (shown,) = (await client.get(f"/v1/contacts/{contact['id']}/lists")).json["data"]
    assert shown["state"] == "archived"


@pytest.mark.parametrize("what", ["labels", "lists", "audiences", "opt-ins"])
async def test_subresources_of_an_unknown_or_foreign_contact_are_a_404(
    ctx: Context, client: Client, session: aiohttp.ClientSession, what: str
) -> None:
    stranger = await make_client(ctx, session)
    theirs = await create(stranger)
    for name in (theirs["id"], UNKNOWN, "x"):
        response = await client.get(f"/v1/contacts/{name}/{what}")
        assert (response.status, response.error["code"]) == (404, "unknown_contact")


@pytest.mark.parametrize("what", ["labels", "lists", "audiences", "opt-ins"])
async def test_a_page_of_subresources_checks_its_parameters(client: Client, what: str) -> None:
    contact = await create(client)
    response = await client.get(f"/v1/contacts/{contact['id']}/{what}?limit=1001&cursor={UNKNOWN}&x=1")
    assert problems_of(response) == {
        ("limit", "invalid_parameter"), ("cursor", "invalid_parameter"), ("x", "unknown_parameter"),
    }  # fmt: skip


@pytest.mark.parametrize("path", OWNERS)
async def test_a_page_of_members_checks_its_parameters(client: Client, path: str) -> None:
    owner = await make(client, path, name="Mine")
    response = await client.get(f"{path}/{owner}/members?limit=0&cursor={owner}&page=1")
    assert problems_of(response) == {
        ("limit", "invalid_parameter"), ("cursor", "invalid_parameter"), ("page", "unknown_parameter"),
    }  # fmt: skip
