"""Labels: their team and colour, which are optional, and their deletion, which deletes the memberships."""

import asyncio
from typing import Any

import aiohttp
import asyncpg
import pytest

from storage.context import Context
from storage.entities import labels
from tests.factories import phone
from tests.integration.api.resource_calls import (
    delete,
    make,
    names,
    patch,
    post,
    problems,
    refusal,
    until_waiting,
)
from tests.integration.api.service import Client, make_client

PATH = "/v1/labels"
ATTACH = """
INSERT INTO memberships (account_id, kind, owner_id, contact_id)
SELECT c.account_id, 'label', l.id, c.id FROM contacts c JOIN labels l USING (account_id)
"""
NO_TEAM: list[Any] = [
    "team_9",
    "team_00000000000000000000000999",
    "x",
    "",
    "a\0",
    999,
    "0",
    -1,
    2**70,
    "lbl_1",
]


@pytest.fixture
async def team(client: Client) -> str:
    """Create a team, and return its id."""
    made = await make(client, "/v1/teams", name="Support")
    return str(made["id"])


async def contacts(ctx: Context, client: Client, count: int) -> None:
    for number in range(count):
        await ctx.pool.execute(
            "INSERT INTO contacts (account_id, phone) VALUES ($1, $2)", client.account.id, phone(number)
        )


async def test_a_label_has_a_colour_and_a_team(client: Client, team: str) -> None:
    made = await make(client, PATH, name="VIP", colour="#1F77b4", team_id=team)
    assert (made["colour"], made["team_id"]) == ("#1f77b4", team)
    assert (await client.get(f"{PATH}/{made['id']}")).json == made


async def test_a_team_can_be_given_by_its_number(client: Client, team: str) -> None:
    for team_id in (1, "1", team.lower()):
        made = await make(client, PATH, name=f"VIP {team_id!r}", team_id=team_id)
        assert made["team_id"] == team


async def test_a_missing_field_keeps_its_value_and_null_clears_it(client: Client, team: str) -> None:
    made = await make(client, PATH, name="VIP", colour="#1f77b4", team_id=team)
    path = f"{PATH}/{made['id']}"
    for change in (
        {"name": "Very"},
        {"colour": "#000000"},
        {"colour": None},
        {"team_id": None},
        {"team_id": team, "colour": "#ffffff"},
    ):
        before = (await client.get(path)).json
        after = (await patch(client, path, change)).json
        assert after == before | change | {"updated_at": after["updated_at"]}


async def test_a_name_is_unique_in_its_team(client: Client, team: str) -> None:
    other = (await make(client, "/v1/teams", name="Sales"))["id"]
    for team_id in (None, team, other):
        made = await make(client, PATH, name="VIP", team_id=team_id)
        response = await post(client, PATH, {"name": " VIP ", "team_id": team_id})
        assert refusal(response) == (409, "label_exists")
    response = await patch(client, f"{PATH}/{made['id']}", {"team_id": team})
    assert refusal(response) == (409, "label_exists")
    response = await patch(client, f"{PATH}/{made['id']}", {"team_id": None})
    assert refusal(response) == (409, "label_exists")
    assert (await client.get(f"{PATH}/{made['id']}")).json == made


async def test_the_list_can_be_filtered_by_team(client: Client, team: str) -> None:
    for number in range(6):
        await make(client, PATH, name=f"Name{number}", team_id=team if number % 2 else None)
    assert len(await names(client, PATH)) == 6
    for query in (f"team_id={team}", "team_id=1"):
        assert await names(client, f"{PATH}?{query}") == ["Name1", "Name3", "Name5"]
    page = (await client.get(f"{PATH}?team_id={team}&limit=2")).json
    following = f"{PATH}?team_id={team}&limit=2&cursor={page['next_cursor']}"
    assert await names(client, following) == ["Name5"]


async def test_a_filter_by_an_unknown_team_is_refused(
    ctx: Context, session: aiohttp.ClientSession, client: Client, team: str
) -> None:
    other = await make_client(ctx, session)
    for team_id in ("x", "", "%00", "%FF", "999", team):
        assert problems(await other.get(f"{PATH}?team_id={team_id}")) == {"team_id": "unknown_team"}
    response = await client.get(f"{PATH}?team_id=x&limit=0&cursor=x")
    assert problems(response) == {
        "limit": "invalid_parameter",
        "cursor": "invalid_parameter",
        "team_id": "unknown_team",
    }


async def test_an_unknown_team_is_refused(
    ctx: Context, session: aiohttp.ClientSession, client: Client, team: str
) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='VIP'))['id']}"
    foreign = await make(await make_client(ctx, session), "/v1/teams", name="Theirs")
    for team_id in (*NO_TEAM, foreign["id"]):
        assert problems(await post(client, PATH, {"name": "x", "team_id": team_id})) == {
            "team_id": "unknown_team"
        }
        assert problems(await patch(client, path, {"team_id": team_id})) == {"team_id": "unknown_team"}
    assert await names(client, PATH) == ["VIP"]


async def test_all_problems_are_reported_at_once(client: Client) -> None:
    wrong = {"name": "x" * 51, "colour": "red", "team_id": "team_9", "color": "#000000"}
    expected = {
        "name": "invalid_parameter",
        "colour": "invalid_parameter",
        "team_id": "unknown_team",
        "color": "unknown_parameter",
    }
    made = await make(client, PATH, name="VIP")
    assert problems(await post(client, PATH, wrong)) == expected
    assert problems(await patch(client, f"{PATH}/{made['id']}", wrong)) == expected
    types: dict[str, Any] = {"name": 1, "colour": 2, "team_id": []}
    assert problems(await post(client, PATH, types)) == dict.fromkeys(types, "invalid_parameter")
    assert problems(await post(client, PATH, {"team_id": True})) == {
        "name": "missing_parameter",
        "team_id": "invalid_parameter",
    }


async def test_an_invalid_colour_is_refused(client: Client) -> None:
    for colour in (
        "",
        "#12345",
        "#1234567",
        "#12345g",
        "123456",
        "#123456\n",
        " #123456",
        "#\uff11\uff12\uff13456",
    ):
        response = await post(client, PATH, {"name": "VIP", "colour": colour})
        assert problems(response) == {"colour": "invalid_parameter"}


async def test_deleting_a_label_deletes_only_its_own_memberships(ctx: Context, client: Client) -> None:
    one = await make(client, PATH, name="VIP")
    await contacts(ctx, client, 3)
    await ctx.pool.execute(ATTACH)
    other = await make(client, PATH, name="Other")
    await ctx.pool.execute(ATTACH + " ON CONFLICT DO NOTHING")
    assert (await client.get(f"{PATH}/{one['id']}")).json["contact_count"] == 3
    assert (await delete(client, f"{PATH}/{one['id']}")).status == 204
    assert (await client.get(f"{PATH}/{other['id']}")).json["contact_count"] == 3
    assert await ctx.pool.fetchval("SELECT count(*) FROM memberships") == 3
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 3


async def test_deleting_a_label_deletes_memberships_that_are_being_added(
    ctx: Context, client: Client
) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='VIP'))['id']}"
    await contacts(ctx, client, 1)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT id FROM labels FOR KEY SHARE")  # the lock that adding a member takes
        deleting = asyncio.create_task(delete(client, path))
        await until_waiting(ctx)
        await conn.execute(ATTACH)
    assert (await deleting).status == 204
    assert await ctx.pool.fetchval("SELECT count(*) FROM memberships") == 0


async def test_a_label_can_be_deleted_during_the_deletion_of_its_contact(
    ctx: Context, client: Client
) -> None:
    """The two deletions lock in opposite orders and deadlock. The one of the label is aborted and retried."""
    path = f"{PATH}/{(await make(client, PATH, name='VIP'))['id']}"
    await contacts(ctx, client, 1)
    await ctx.pool.execute(ATTACH)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM memberships FOR UPDATE")
        deleting = asyncio.create_task(delete(client, path))
        await until_waiting(ctx)
        await conn.execute("DELETE FROM memberships")  # its trigger waits for the label
    assert (await deleting).status == 204


async def test_a_team_that_is_being_deleted_is_unknown(ctx: Context, client: Client, team: str) -> None:
    label = await make(client, PATH, name="VIP")
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("DELETE FROM teams")
        creating = asyncio.create_task(post(client, PATH, {"name": "Other", "team_id": team}))
        changing = asyncio.create_task(patch(client, f"{PATH}/{label['id']}", {"team_id": team}))
        await until_waiting(ctx, 2)
    assert problems(await creating) == problems(await changing) == {"team_id": "unknown_team"}
    assert (await client.get(PATH)).json["data"] == [label]


async def test_an_unexpected_constraint_violation_is_raised(ctx: Context, client: Client) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await labels.create(ctx.pool, client.account.id, name="x" * 51)
