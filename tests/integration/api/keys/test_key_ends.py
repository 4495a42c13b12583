"""Keys that end: by their expiry, and what ends with them; when a key was used last."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from schemas.settings import Settings
from storage.access import api_keys
from storage.access.api_keys import KeyRow
from storage.access.key_uses import KeyUses
from storage.context import Context
from tests.factories import make_account
from tests.integration.api.service import Client, serve
from tests.waiting import until

EXPIRE = "UPDATE api_keys SET expires_at = now() - interval '1 min' WHERE id = $1"


async def add_key(ctx: Context, client: Client, expires_at: datetime | None = None) -> tuple[KeyRow, str]:
    return await api_keys.add_key(ctx.pool, client.account.id, None, expires_at=expires_at)


async def last_use(ctx: Context, client: Client, key_id: str) -> datetime | None:
    row = await api_keys.find_key(ctx.pool, client.account.id, key_id)
    assert row is not None
    return row.last_used_at


async def test_a_key_works_until_its_end_and_then_says_since_when_it_does_not(
    ctx: Context, client: Client
) -> None:
    row, key = await add_key(ctx, client, datetime.now(UTC) + timedelta(hours=1))
    assert (await client.get("/v1/jobs", Authorization=key)).status == 200
    await ctx.pool.execute(EXPIRE, row.id)
    expired = await api_keys.find_key(ctx.pool, client.account.id, row.id)
    assert expired is not None
    assert (expired.status, expired.expires_at is not None) == ("expired", True)
    for path in ("/v1/jobs", "/v1/bulk/contacts.upsert"):
        method = "POST" if "bulk" in path else "GET"
        response = await client.call(method, path, headers={"Authorization": key})
        assert (response.status, response.error["code"]) == (401, "api_key_expired")
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert f"{row.id} has expired at {expired.expires_at:%Y-%m-%dT%H:%M:%SZ}" in response.error["message"]


async def test_an_expired_key_is_no_guess_and_never_gets_a_429(ctx: Context, settings: Settings) -> None:
    settings = settings.model_copy(update={"failed_key_limit": 1})
    async with (
        serve(settings) as service,
        aiohttp.ClientSession(base_url=f"http://127.0.0.1:{service.port}") as session,
    ):
        client = Client(session, await make_account(ctx), "")
        row, client.key = await add_key(ctx, client)
        await ctx.pool.execute(EXPIRE, row.id)
        codes = [(await client.get("/v1/jobs")).error["code"] for _ in range(4)]
    assert codes == ["api_key_expired"] * 4


async def test_nobody_signs_in_with_an_expired_key_and_a_session_ends_with_it(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    row, key = await add_key(ctx, client)
    person = Client(session, client.account, key)
    assert (await person.visit("GET", "/", {})).status == 200
    await ctx.pool.execute(EXPIRE, row.id)
    assert (await person.visit("GET", "/", {})).status == 401
    async with session.post("/sign-in", data={"key": key}) as response:
        assert response.status == 401


@pytest.mark.parametrize("end", ["revoked", "expired"])
async def test_streams_end_with_their_key_and_other_streams_go_on(
    ctx: Context, client: Client, end: str
) -> None:
    row, key = await add_key(ctx, client)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        client.open("GET", "/v1/events", headers=headers) as ending,
        client.open("GET", "/v1/events") as other,
    ):
        assert (ending.status, other.status) == (200, 200)
        await ending.content.readchunk()
        await other.content.readchunk()
        if end == "revoked":
            await api_keys.revoke_key(ctx.pool, client.account.id, row.id)
        else:
            await ctx.pool.execute(EXPIRE, row.id)
        await ending.content.read()  # returns at the end of the stream, or the test times out
        job = await client.submit_items([{"phone": "+14155550123"}])
        event, _ = await other.content.readchunk()
        assert job.json["id"].encode() in event


async def test_the_use_of_a_key_is_recorded_without_a_wait_for_a_lock(ctx: Context, client: Client) -> None:
    locked, locked_key = await add_key(ctx, client)
    free, free_key = await add_key(ctx, client)
    assert await last_use(ctx, client, free.id) is None
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM api_keys WHERE id = $1 FOR UPDATE", locked.id)
        for key in (locked_key, free_key):
            assert (await client.get("/v1/jobs", Authorization=key)).status == 200
        await until(lambda: last_use(ctx, client, free.id))
        assert await last_use(ctx, client, locked.id) is None


async def test_a_use_is_written_once_in_a_minute_whatever_the_number_of_processes(
    ctx: Context, client: Client
) -> None:
    row, _ = await add_key(ctx, client)
    used = {(client.account.id, row.id)}
    await api_keys.note_uses(ctx.pool, used)
    first = await last_use(ctx, client, row.id)
    await api_keys.note_uses(ctx.pool, used)
    assert await last_use(ctx, client, row.id) == first
    for moved in ("now() - interval '61 s'", "now() + interval '1 d'"):  # a clock was wrong
        await ctx.pool.execute(f"UPDATE api_keys SET last_used_at = {moved} WHERE id = $1", row.id)
        before = await last_use(ctx, client, row.id)
        await api_keys.note_uses(ctx.pool, used)
        assert await last_use(ctx, client, row.id) != before


async def test_a_use_that_cannot_be_written_is_written_later(ctx: Context, client: Client) -> None:
    row, _ = await add_key(ctx, client)
    await ctx.pool.execute("ALTER TABLE api_keys RENAME COLUMN last_used_at TO hidden")
    uses = KeyUses(ctx.pool)
    uses.note(client.account.id, row.id)
    with pytest.raises(Exception, match="last_used_at"):
        await uses.record()
    await ctx.pool.execute("ALTER TABLE api_keys RENAME COLUMN hidden TO last_used_at")
    await uses.record()
    assert await last_use(ctx, client, row.id)
