"""/v1/keys: what an account may do with its keys, and the rotation of keys without a gap."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from schemas.callers import Scope
from storage.access import api_keys
from storage.context import Context
from tests.integration.api.keys.test_scopes import client_with
from tests.integration.api.service import Client, Response, make_client

DAY = timedelta(days=1)


async def create(client: Client, name: str = "ci", **fields: Any) -> Response:
    return await client.call("POST", "/v1/keys", json={"name": name, **fields})


async def rotate(client: Client, key: str, **fields: Any) -> Response:
    return await client.call("POST", f"/v1/keys/{key}/rotate", json=fields)


async def revoke(client: Client, key: str) -> Response:
    return await client.call("DELETE", f"/v1/keys/{key}")


async def status_with(client: Client, key: str) -> int:
    return (await client.get("/v1/jobs", Authorization=key)).status


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_key_is_created_shown_once_listed_and_revoked(client: Client) -> None:
    created = await create(client)
    assert (created.status, created.json["scopes"]) == (201, ["read", "write", "admin"])
    alone = await client.get(created.headers["Location"])
    assert alone.json == {name: value for name, value in created.json.items() if name != "key"}
    assert (await client.get("/v1/keys/ci")).json == alone.json
    assert await status_with(client, created.json["key"]) == 200
    listed = (await client.get("/v1/keys")).json["data"]
    assert created.json["id"] in [row["id"] for row in listed]
    assert all("key" not in row for row in listed)
    revoked = await revoke(client, "ci")
    assert (revoked.status, revoked.json["status"]) == (200, "revoked")
    assert await status_with(client, created.json["key"]) == 401
    assert (await revoke(client, "ci")).error["code"] == "unknown_key"
    assert (await client.get(created.headers["Location"])).json["status"] == "revoked"
    assert (await client.get("/v1/keys/none")).error["code"] == "unknown_key"


async def test_a_name_is_taken_until_its_key_is_revoked_or_has_expired(ctx: Context, client: Client) -> None:
    first = await create(client)
    assert (await create(client)).error["code"] == "key_exists"
    await ctx.pool.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", first.json["id"])
    second = await create(client)
    assert second.status == 201
    assert (await revoke(client, "ci")).json["id"] == second.json["id"]
    assert (await create(client)).status == 201


async def test_a_key_gives_no_scope_that_it_has_not(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    admin = await client_with(ctx, session, client, Scope.ADMIN, Scope.READ)
    refused = await create(admin, scopes=["read", "write"])
    assert (refused.status, refused.error["code"]) == (403, "insufficient_scope")
    assert (await create(admin)).json["scopes"] == ["read", "admin"]
    everything = await create(client, "everything")
    assert (await rotate(admin, everything.json["id"])).status == 403
    assert await status_with(client, everything.json["key"]) == 200  # nothing was rotated
    assert (await revoke(admin, everything.json["id"])).status == 200  # this gives nothing


async def test_a_key_gives_no_time_after_its_own_end(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    end = datetime.now(UTC) + DAY
    _, key = await api_keys.add_key(ctx.pool, client.account.id, "ending", expires_at=end)
    ending = Client(session, client.account, key)
    assert at((await create(ending, "same")).json["expires_at"]) == end
    earlier = end - timedelta(hours=1)
    assert at((await create(ending, "less", expires_at=earlier.isoformat())).json["expires_at"]) == earlier
    refused = await create(ending, "more", expires_at=(end + DAY).isoformat())
    assert (refused.status, refused.error["param"]) == (422, "expires_at")
    forever = await create(client, "forever")
    assert at((await rotate(ending, forever.json["id"])).json["expires_at"]) == end
    assert at((await rotate(ending, "ending")).json["expires_at"]) == end


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),  # of which time zone?
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes[0]"),
        ({"name": ""}, "name"),
        ({"scope": "read"}, "scope"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(client: Client, fields: Any, param: str) -> None:
    refused = await client.call("POST", "/v1/keys", json={"name": "ci", **fields})
    assert (refused.status, refused.error["param"]) == (422, param)
    assert len((await client.get("/v1/keys")).json["data"]) == 1


async def test_a_key_cannot_revoke_itself(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    created = await create(client)
    own = Client(session, client.account, created.json["key"])
    for named in ("ci", created.json["id"]):
        assert (await revoke(own, named)).error["code"] == "own_key"
    assert await status_with(client, created.json["key"]) == 200


async def test_a_key_of_another_account_is_unknown(
    ctx: Context, session: aiohttp.ClientSession, client: Client
) -> None:
    other = await make_client(ctx, session)
    theirs = await create(other)
    for response in (await revoke(client, theirs.json["id"]), await rotate(client, theirs.json["id"])):
        assert (response.status, response.error["code"]) == (404, "unknown_key")
    assert await status_with(other, theirs.json["key"]) == 200


async def test_both_keys_work_until_the_grace_is_over(ctx: Context, client: Client) -> None:
    old = await create(client, scopes=["read"])
    before = datetime.now(UTC)
    new = await rotate(client, "ci", grace_seconds=3600)
    assert (new.status, new.json["name"], new.json["scopes"]) == (201, "ci", ["read"])
    assert new.json["expires_at"] is None
    assert [await status_with(client, made.json["key"]) for made in (old, new)] == [200, 200]
    keys = {row["id"]: row for row in (await client.get("/v1/keys")).json["data"]}
    left = keys[old.json["id"]]
    assert left["replaced_by"] == new.json["id"]
    assert timedelta(minutes=59) < at(left["expires_at"]) - before < timedelta(minutes=61)
    await ctx.pool.execute("UPDATE api_keys SET grace_until = now() WHERE id = $1", old.json["id"])
    ended = await client.get("/v1/jobs", Authorization=old.json["key"])
    assert (ended.status, ended.error["code"]) == (401, "api_key_expired")
    assert await status_with(client, new.json["key"]) == 200


async def test_a_rotation_without_a_grace_ends_the_old_key_at_once(client: Client) -> None:
    old = await create(client)
    new = await rotate(client, "ci", grace_seconds=0)
    assert await status_with(client, old.json["key"]) == 401
    assert await status_with(client, new.json["key"]) == 200
    assert (await rotate(client, old.json["id"])).error["code"] == "key_rotated"


async def test_of_two_rotations_at_once_one_makes_a_key(client: Client) -> None:
    old = await create(client)
    responses = await asyncio.gather(*(rotate(client, old.json["id"]) for _ in range(4)))
    assert sorted(response.status for response in responses) == [201, 409, 409, 409]
    assert {response.error["code"] for response in responses if response.status == 409} == {"key_rotated"}
    (new,) = [response for response in responses if response.status == 201]
    assert [await status_with(client, made.json["key"]) for made in (old, new)] == [200, 200]


async def test_a_key_that_was_lost_with_its_response_is_revoked_and_made_again(client: Client) -> None:
    end = datetime.now(UTC) + 30 * DAY
    old = await create(client, expires_at=end.isoformat())
    lost = await rotate(client, old.json["id"], grace_seconds=3600)
    again = await rotate(client, old.json["id"])
    assert (again.status, again.error["code"]) == (409, "key_rotated")
    assert lost.json["id"] in again.error["message"]
    await revoke(client, lost.json["id"])
    made = await rotate(client, "ci", grace_seconds=7200)
    assert (made.status, at(made.json["expires_at"])) == (201, end)
    keys = {row["id"]: row for row in (await client.get("/v1/keys")).json["data"]}
    left = at(keys[old.json["id"]]["expires_at"]) - datetime.now(UTC)
    assert left < timedelta(hours=1)  # the first grace stays
    assert [await status_with(client, key.json["key"]) for key in (old, made)] == [200, 200]
    assert await status_with(client, lost.json["key"]) == 401


async def test_a_name_revokes_also_the_key_that_it_has_replaced(client: Client) -> None:
    old = await create(client)
    new = await rotate(client, "ci")
    assert (await revoke(client, "ci")).json["id"] == new.json["id"]
    assert [await status_with(client, made.json["key"]) for made in (old, new)] == [401, 401]
    assert (await create(client)).status == 201


async def test_a_name_that_another_key_has_got_is_not_given_back(ctx: Context, client: Client) -> None:
    first = (await create(client)).json
    second = (await rotate(client, "ci")).json
    await ctx.pool.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", second["id"])
    third = (await create(client)).json
    assert (await revoke(client, second["id"])).status == 200
    assert await status_with(client, first["key"]) == 200  # until its grace is over
    assert (await rotate(client, first["id"])).error["code"] == "key_rotated"
    assert (await rotate(client, "ci", grace_seconds=0)).status == 201
    assert await status_with(client, third["key"]) == 401


async def test_a_rotation_says_where_the_new_key_is(client: Client) -> None:
    await create(client, "of a/b")
    rotated = await rotate(client, "of%20a%2Fb")
    assert (rotated.status, rotated.headers["Location"]) == (201, f"/v1/keys/{rotated.json['id']}")


async def test_an_expired_key_is_not_rotated(ctx: Context, client: Client) -> None:
    old = await create(client)
    await ctx.pool.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", old.json["id"])
    refused = await rotate(client, "ci")
    assert (refused.status, refused.error["code"]) == (409, "key_expired")


async def test_a_key_rotates_itself(session: aiohttp.ClientSession, client: Client) -> None:
    old = await create(client)
    own = Client(session, client.account, old.json["key"])
    new = await rotate(own, "ci", grace_seconds=0)
    assert new.status == 201
    assert await status_with(client, new.json["key"]) == 200
