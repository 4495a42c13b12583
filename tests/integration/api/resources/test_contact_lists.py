"""Contact lists: active or archived."""

import aiohttp

from storage.context import Context
from tests.integration.api.resource_calls import make, names, patch, post, refusal
from tests.integration.api.service import Client, make_client

PATH = "/v1/contact-lists"


async def test_an_archived_list_can_be_unarchived(client: Client) -> None:
    made = await make(client, PATH, name="Spring")
    path = f"{PATH}/{made['id']}"
    archived = (await post(client, f"{path}/archive", None)).json
    assert archived["state"] == "archived"
    assert archived["archived_at"] == archived["updated_at"] > made["updated_at"]
    assert (await client.get(path)).json == archived
    active = (await post(client, f"{path}/unarchive", None)).json
    assert active == made | {"updated_at": active["updated_at"]}
    assert active["updated_at"] > archived["updated_at"]


async def test_archiving_and_unarchiving_are_idempotent(client: Client) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='Spring'))['id']}"
    for verb in ("unarchive", "archive"):
        first, second = [await post(client, f"{path}/{verb}", None) for _ in range(2)]
        assert first.status == second.status == 200
        assert first.json == second.json


async def test_another_account_cannot_archive_or_unarchive_a_list(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    other = await make_client(ctx, session)
    made = await make(client, PATH, name="Spring")
    path = f"{PATH}/{made['id']}"
    assert refusal(await post(other, f"{path}/archive", None)) == (404, "unknown_list")
    assert (await client.get(path)).json == made
    archived = (await post(client, f"{path}/archive", None)).json
    assert refusal(await post(other, f"{path}/unarchive", None)) == (404, "unknown_list")
    assert (await client.get(path)).json == archived


async def test_archiving_needs_no_body_and_no_content_type(client: Client) -> None:
    made = await make(client, PATH, name="Spring")
    response = await client.call("POST", f"{PATH}/{made['id']}/archive", skip_auto_headers=["Content-Type"])
    assert (response.status, response.json["state"]) == (200, "archived")


async def test_lists_can_be_filtered_by_archived(client: Client) -> None:
    made = [await make(client, PATH, name=f"Name{number}") for number in range(6)]
    for one in made[::2]:
        await post(client, f"{PATH}/{one['id']}/archive", None)
    assert await names(client, PATH) == await names(client, f"{PATH}?archived=false")
    assert await names(client, PATH) == ["Name1", "Name3", "Name5"]
    assert await names(client, f"{PATH}?archived=true") == ["Name0", "Name2", "Name4"]
    page = (await client.get(f"{PATH}?archived=true&limit=2")).json
    following = (await client.get(f"{PATH}?archived=true&limit=2&cursor={page['next_cursor']}")).json
    assert [entry["name"] for entry in page["data"] + following["data"]] == ["Name0", "Name2", "Name4"]
    assert following["next_cursor"] is None


async def test_an_archived_list_keeps_its_name_and_can_be_renamed(client: Client) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='Spring'))['id']}"
    await post(client, f"{path}/archive", None)
    assert refusal(await post(client, PATH, {"name": "Spring"})) == (409, "list_exists")
    renamed = (await patch(client, path, {"name": "Summer"})).json
    assert (renamed["name"], renamed["state"]) == ("Summer", "archived")
    assert (await post(client, PATH, {"name": "Spring"})).status == 201


async def test_a_list_shows_its_contact_count(ctx: Context, client: Client) -> None:
    path = f"{PATH}/{(await make(client, PATH, name='Spring'))['id']}"
    await ctx.pool.execute(
        "INSERT INTO memberships SELECT account_id, 'list', id, n FROM contact_lists, generate_series(1, 3) n"
    )
    await post(client, f"{path}/archive", None)
    assert (await client.get(path)).json["contact_count"] == 3
