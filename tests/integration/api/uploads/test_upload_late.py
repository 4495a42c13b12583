"""What a request does late, after a newer one took over or after its own response, changes nothing."""

import asyncio

import aiohttp

from api.http.memory import FREE_BYTES, MEMORY
from schemas.settings import Settings
from storage.context import Context
from storage.resumable.upload_pieces import PIECE_BYTES
from tests.integration.api.service import Client, Service, make_client, serve
from tests.integration.api.uploads.sending import CSV, append, create, offset_of
from tests.integration.api.uploads.test_upload_takeover import LARGE, appending, stored
from tests.waiting import until

UNKNOWN = b"phone,colour\n" + LARGE

# stops a declaration of the length before it looks at the row
PAUSE = """
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NULL; END$$;
CREATE TRIGGER pause BEFORE UPDATE OF length ON resumable_uploads EXECUTE FUNCTION pause();
"""


async def test_a_request_that_was_taken_over_early_appends_nothing(
    ctx: Context, service: Service, client: Client
) -> None:
    place = (await create(client)).headers["Location"]
    await ctx.pool.execute(PAUSE)
    try:
        async with ctx.pool.acquire() as conn:
            await conn.execute("SELECT pg_advisory_lock(77)")
            first = asyncio.create_task(append(client, place, 0, CSV, Upload_Length=str(len(CSV))))
            waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
            await until(lambda: ctx.pool.fetchval(waits))
            assert await offset_of(client, place) == 0
            await conn.execute("SELECT pg_advisory_unlock(77)")
            late = await first
        assert (late.status, late.error["code"]) == (409, "upload_taken_over"), late
        assert await offset_of(client, place) == 0
    finally:
        await ctx.pool.execute("DROP FUNCTION pause CASCADE")


async def test_the_bytes_of_a_request_that_was_taken_over_refuse_nothing(
    ctx: Context, service: Service, client: Client
) -> None:
    place = (await create(client)).headers["Location"]
    async with appending(service, client, place, 0) as (reader, writer):
        writer.write(UNKNOWN[:1000])
        taken = "SELECT length IS NOT NULL FROM resumable_uploads"
        await until(lambda: ctx.pool.fetchval(taken))
        assert await offset_of(client, place) == 0
        writer.write(UNKNOWN[1000:])
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 422 ")
        assert "Upload-Complete: ?0\r\n" in head
    done = await append(client, place, 0, LARGE, complete=True)
    assert done.status == 202, done


async def test_no_interim_response_follows_the_response(ctx: Context, settings: Settings) -> None:
    small = settings.model_copy(update={"max_upload_bytes": PIECE_BYTES + 1000})
    async with serve(small) as service, aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as session:
        client = await make_client(ctx, session)
        place = (await create(client)).headers["Location"]
        async with appending(service, client, place, 0) as (reader, writer):
            async with ctx.pool.acquire() as conn, conn.transaction():
                await conn.execute("LOCK TABLE upload_pieces")
                writer.write(LARGE[:PIECE_BYTES])
                waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
                await until(lambda: ctx.pool.fetchval(waits))
                writer.write(LARGE[PIECE_BYTES : PIECE_BYTES + 2000])  # too many, while the piece is written
                await until(lambda: _is_read(service))
            responses = await reader.readuntil(b"HTTP/1.1 413 ")
            assert f"Upload-Offset: {PIECE_BYTES}\r\n".encode() in responses
        await stored(ctx, PIECE_BYTES)


async def _is_read(service: Service) -> bool:
    """Return whether the api has read what exceeds the first piece."""
    return service.app[MEMORY].held != PIECE_BYTES - FREE_BYTES


async def test_requests_of_one_piece_are_bounded_too(ctx: Context, settings: Settings) -> None:
    small = settings.model_copy(update={"max_stored_bytes": 600_000})
    async with serve(small) as service, aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as session:
        client = await make_client(ctx, session)
        place = (await create(client)).headers["Location"]
        body = LARGE[:400_000]
        statuses = [(await append(client, place, 400_000 * n, body)).status for n in range(3)]
        assert statuses == [204, 204, 429]
