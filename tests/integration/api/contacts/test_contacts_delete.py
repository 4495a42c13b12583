"""DELETE /v1/contacts/{id}, and `transact`, which the other writes use too."""

import asyncio

import aiohttp
import asyncpg
import pytest

from schemas.errors import Unavailable
from schemas.ids import read_id
from storage.context import Context
from storage.postgres.pool import Conn
from storage.postgres.transactions import ATTEMPTS, transact
from tests.integration.api.contact_calls import add_members, create, list_contacts, make
from tests.integration.api.service import Client, make_client
from tests.integration.api.work import work
from tests.waiting import until
from tests.workers import barred, waiting_backends


async def delete(client: Client, contact_id: str) -> int:
    response = await client.call("DELETE", f"/v1/contacts/{contact_id}")
    assert response.status != 200 or response.json == {"success": True}
    return response.status


async def count_of(client: Client, path: str, owner: str) -> int:
    count: int = (await client.get(f"{path}/{owner}")).json["contact_count"]
    return count


async def test_a_contact_is_deleted_once(client: Client) -> None:
    contact = await create(client, externalId="crm-1")
    assert await delete(client, contact["id"]) == 200
    assert await delete(client, contact["id"]) == 404
    assert (await client.get(f"/v1/contacts/{contact['id']}")).status == 404
    assert (await list_contacts(client))["total"] == 0
    again = await create(client, externalId="crm-1")
    assert again["id"] != contact["id"]


async def test_deleting_a_contact_removes_its_memberships_and_opt_ins(ctx: Context, client: Client) -> None:
    deleted, kept = (await create(client, 1))["id"], (await create(client, 2))["id"]
    channel = await make(client, "/v1/channels", name="SMS")
    for contact in (deleted, kept):
        await client.call("PUT", f"/v1/contacts/{contact}/opt-ins/{channel}", json={"opted_in": True})
    for path in ("/v1/contact-lists", "/v1/labels", "/v1/audiences"):
        owner = await make(client, path, name="Mine")
        await add_members(ctx, client, owner, deleted, kept)
    assert await delete(client, deleted) == 200
    for path in ("/v1/contact-lists", "/v1/labels", "/v1/audiences"):
        (owner_,) = (await client.get(path)).json["data"]
        assert owner_["contact_count"] == 1
        members = (await client.get(f"{path}/{owner_['id']}/members")).json["data"]
        assert [member["id"] for member in members] == [kept]
    rows = await ctx.pool.fetch("SELECT contact_id FROM opt_ins")
    assert [row["contact_id"] for row in rows] == [read_id("ctc", kept)]
    assert await ctx.pool.fetchval("SELECT count(*) FROM memberships") == 3


async def test_the_results_of_jobs_stay_after_a_deletion(ctx: Context, client: Client) -> None:
    response = await client.submit_items([{"phone": "+14155552671"}])
    await work(ctx)
    (contact,) = (await list_contacts(client))["data"]
    assert await delete(client, contact["id"]) == 200
    results = (await client.get((await client.job(response))["results_url"])).json["data"]
    assert [(result["outcome"], result["contact_id"]) for result in results] == [
        ("created", read_id("ctc", contact["id"]))
    ]


async def test_a_foreign_contact_keeps_its_memberships(
    ctx: Context, client: Client, session: aiohttp.ClientSession
) -> None:
    stranger = await make_client(ctx, session)
    theirs = (await create(stranger))["id"]
    label = await make(stranger, "/v1/labels", name="VIP")
    await add_members(ctx, stranger, label, theirs)
    assert await delete(client, theirs) == 404
    assert await count_of(stranger, "/v1/labels", label) == 1


async def test_a_deletion_waits_for_a_concurrent_addition_to_a_list(ctx: Context, client: Client) -> None:
    contact = (await create(client))["id"]
    list_id = await make(client, "/v1/contact-lists", name="Mine")
    async with ctx.pool.acquire() as conn:
        async with conn.transaction():
            await conn.execute("SELECT FROM contact_lists FOR KEY SHARE")
            await conn.execute("SELECT FROM contacts FOR KEY SHARE")
            deleting = asyncio.create_task(delete(client, contact))
            await until(lambda: waiting_backends(ctx))
            await conn.execute(
                """INSERT INTO memberships (account_id, kind, owner_id, contact_id)
                   VALUES ($1, 'list', $2, $3)""",
                client.account.id,
                read_id("lst", list_id),
                read_id("ctc", contact),
            )
        assert await deleting == 200
    assert await ctx.pool.fetchval("SELECT count(*) FROM memberships") == 0
    assert await count_of(client, "/v1/contact-lists", list_id) == 0


async def test_a_deadlock_is_retried(ctx: Context, client: Client) -> None:
    """The deletion waits last, and only its session looks for deadlocks, so it is the one that is aborted."""
    contact = (await create(client))["id"]
    label = await make(client, "/v1/labels", name="VIP")
    await add_members(ctx, client, label, contact)
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL deadlock_timeout = '1h'")
        await conn.execute("SELECT FROM labels FOR UPDATE")
        async with barred(ctx, "SELECT FROM memberships FOR UPDATE"):
            deleting = asyncio.create_task(delete(client, contact))
            await until(lambda: waiting_backends(ctx))  # it has locked the contact
            locking = asyncio.create_task(conn.execute("SELECT FROM contacts FOR UPDATE"))
            await until(lambda: both_wait(ctx))
        await locking  # the deletion waited for the label, whose count it changes, and was aborted
    assert await deleting == 200
    assert await count_of(client, "/v1/labels", label) == 0


async def both_wait(ctx: Context) -> bool:
    return len(await waiting_backends(ctx)) == 2


async def test_repeated_deadlocks_are_reported_as_unavailable(ctx: Context) -> None:
    tries = 0

    async def deadlock(conn: Conn) -> None:
        nonlocal tries
        tries += 1
        raise asyncpg.DeadlockDetectedError

    with pytest.raises(Unavailable):
        await transact(ctx.pool, deadlock)
    assert tries == ATTEMPTS


async def test_a_lock_timeout_is_reported_as_unavailable(ctx: Context, client: Client) -> None:
    await create(client)

    async def wait(conn: Conn) -> None:
        await conn.execute("SET LOCAL lock_timeout = '10ms'")
        await conn.execute("SELECT FROM contacts FOR UPDATE")

    async with barred(ctx, "SELECT FROM contacts FOR UPDATE"):
        with pytest.raises(Unavailable):
            await transact(ctx.pool, wait)


async def test_a_failed_transaction_stores_nothing(ctx: Context, client: Client) -> None:
    async def fail(conn: Conn) -> None:
        await conn.execute("INSERT INTO contacts (account_id, phone) VALUES (1, '+1')")
        raise KeyError

    with pytest.raises(KeyError):
        await transact(ctx.pool, fail)
    assert await ctx.pool.fetchval("SELECT count(*) FROM contacts") == 0
