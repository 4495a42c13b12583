"""A contact's opt-ins: how they are read, and how one is recorded."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from schemas.ids import read_id
from storage.context import Context
from storage.entities import opt_ins
from tests.integration.api.contact_calls import UNKNOWN, create, make, problems_of
from tests.integration.api.service import Client, Response, make_client
from tests.waiting import until
from tests.workers import barred, waiting_backends


async def record(client: Client, contact: str, channel: str, **body: Any) -> Response:
    return await client.call("PUT", f"/v1/contacts/{contact}/opt-ins/{channel}", json=body)


@pytest.fixture
async def contact(client: Client) -> str:
    """Create a contact, and return its id."""
    id_: str = (await create(client))["id"]
    return id_


@pytest.fixture
async def channel(client: Client) -> str:
    """Create a channel, and return its id."""
    return await make(client, "/v1/channels", name="SMS")


async def opt_ins_of(client: Client, contact: str) -> list[tuple[str, bool, str]]:
    page = (await client.get(f"/v1/contacts/{contact}/opt-ins")).json
    assert page["next_cursor"] is None
    return [(entry["channel_name"], entry["opted_in"], entry["by"]) for entry in page["data"]]


async def test_a_recorded_opt_in_is_shown(client: Client, contact: str, channel: str) -> None:
    assert await opt_ins_of(client, contact) == []
    response = await record(client, contact, channel, opted_in=True)
    assert response.status == 200
    assert response.json | {"updated_at": ""} == {
        "channel_id": channel, "channel_name": "SMS", "opted_in": True, "by": "account", "updated_at": "",
    }  # fmt: skip
    assert (await client.get(f"/v1/contacts/{contact}/opt-ins")).json["data"] == [response.json]


ENTRIES = [(opted_in, by) for opted_in in (True, False) for by in ("contact", "account")]


@pytest.mark.parametrize("first", ENTRIES)
@pytest.mark.parametrize("second", ENTRIES)
async def test_the_last_entry_counts_unless_the_contact_has_opted_out(
    client: Client, contact: str, channel: str, first: tuple[bool, str], second: tuple[bool, str]
) -> None:
    await record(client, contact, channel, opted_in=first[0], by=first[1])
    response = await record(client, contact, channel, opted_in=second[0], by=second[1])
    if first == (False, "contact") and second[1] == "account":
        assert await opt_ins_of(client, contact) == [("SMS", False, "contact")]
        if second[0]:
            assert (response.status, response.error["code"]) == (409, "contact_opted_out")
        else:
            assert (response.status, response.json["by"]) == (200, "contact")
    else:
        assert response.status == 200
        assert await opt_ins_of(client, contact) == [("SMS", *second)]


async def test_recording_an_opt_in_again_changes_nothing(client: Client, contact: str, channel: str) -> None:
    first = (await record(client, contact, channel, opted_in=False, by="contact")).json
    assert (await record(client, contact, channel, opted_in=False, by="contact")).json == first
    later = (await record(client, contact, channel, opted_in=True, by="contact")).json
    assert later["updated_at"] > first["updated_at"]


async def test_a_contact_s_own_opt_out_is_respected_by_bulk_opt_ins(
    ctx: Context, client: Client, contact: str, channel: str
) -> None:
    await record(client, contact, channel, opted_in=False, by="contact")
    number, id_ = read_id("ctc", contact), UUID(channel)
    assert number is not None
    async with ctx.pool.acquire() as conn, conn.transaction():
        changed, kept = await opt_ins.opt_in(conn, client.account.id, [number], [id_], override=False)
    assert (changed, kept) == (set(), {number})
    assert await opt_ins_of(client, contact) == [("SMS", False, "contact")]


async def test_opt_ins_are_paged(client: Client, contact: str) -> None:
    channels = sorted([await make(client, "/v1/channels", name=f"C{number}") for number in range(5)])
    for channel in channels:
        await record(client, contact, channel, opted_in=True)
    path, seen = f"/v1/contacts/{contact}/opt-ins?limit=2", []
    cursor: str | None = ""
    for size in (2, 2, 1):
        page = (await client.get(path + (f"&cursor={cursor}" if cursor else ""))).json
        assert len(page["data"]) == size
        seen += [entry["channel_id"] for entry in page["data"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == (channels, None)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {("opted_in", "missing_parameter")}),
        ({"opted_in": "yes", "by": "me", "x": 1}, {
            ("opted_in", "invalid_parameter"), ("by", "invalid_parameter"), ("x", "unknown_parameter"),
        }),
        ({"opted_in": 1}, {("opted_in", "invalid_parameter")}),
        ({"opted_in": True, "by": None}, {("by", "invalid_parameter")}),
        ({"opted_in": True, "by": "\0"}, {("by", "invalid_parameter")}),
    ],
)  # fmt: skip
async def test_an_opt_in_is_checked(
    client: Client, contact: str, channel: str, body: Any, problems: Any
) -> None:
    response = await client.call("PUT", f"/v1/contacts/{contact}/opt-ins/{channel}?a=1", json=body)
    assert problems_of(response) == problems | {("a", "unknown_parameter")}
    assert await opt_ins_of(client, contact) == []


async def test_an_opt_in_takes_no_query(client: Client, contact: str, channel: str) -> None:
    path = f"/v1/contacts/{contact}/opt-ins/{channel}?by=contact"
    response = await client.call("PUT", path, json={"opted_in": True})
    assert problems_of(response) == {("by", "unknown_parameter")}
    assert await opt_ins_of(client, contact) == []


async def test_unknown_and_foreign_contacts_and_channels_get_a_404(
    ctx: Context, client: Client, session: aiohttp.ClientSession, contact: str, channel: str
) -> None:
    stranger = await make_client(ctx, session)
    theirs = (await create(stranger))["id"]
    their_channel = await make(stranger, "/v1/channels", name="SMS")
    for name in (theirs, UNKNOWN, "x", "%00"):
        response = await record(client, name, channel, opted_in=True)
        assert (response.status, response.error["code"]) == (404, "unknown_contact")
    for name in (their_channel, str(uuid4()), "x", "%00"):
        response = await record(client, contact, name, opted_in=True)
        assert (response.status, response.error["code"]) == (404, "unknown_channel")
    assert await ctx.pool.fetchval("SELECT count(*) FROM opt_ins") == 0


@pytest.mark.parametrize(
    ("table", "code"), [("contacts", "unknown_contact"), ("channels", "unknown_channel")]
)
async def test_no_opt_in_is_recorded_for_a_row_that_is_being_deleted(
    ctx: Context, client: Client, contact: str, channel: str, table: str, code: str
) -> None:
    async with barred(ctx, f"DELETE FROM {table}"):
        recording = asyncio.create_task(record(client, contact, channel, opted_in=True))
        await until(lambda: waiting_backends(ctx))
    response = await recording
    assert (response.status, response.error["code"]) == (404, code)
    assert await ctx.pool.fetchval("SELECT count(*) FROM opt_ins") == 0


async def test_the_contacts_opt_out_wins_over_concurrent_opt_ins(
    client: Client, contact: str, channel: str
) -> None:
    responses = await asyncio.gather(
        record(client, contact, channel, opted_in=False, by="contact"),
        *(record(client, contact, channel, opted_in=True) for _ in range(6)),
    )
    assert responses[0].status == 200
    assert {response.status for response in responses} <= {200, 409}
    assert await opt_ins_of(client, contact) == [("SMS", False, "contact")]
