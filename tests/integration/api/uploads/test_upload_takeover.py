"""One request appends at a time, an upload makes one job, and a cut costs only what had not arrived."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.ids import new_job_id
from storage.context import Context
from storage.pipeline.receiving import Uploads
from storage.resumable.upload_pieces import PIECE_BYTES
from tests.integration.api.service import UPSERT, Client, Service
from tests.integration.api.uploads.sending import CSV, PARTIAL, append, create, offset_of
from tests.integration.api.work import work
from tests.waiting import until

LINE = b"+14155550001,Ana\n"
LARGE = b"phone,name\n" + LINE * (3 * PIECE_BYTES // len(LINE))


@asynccontextmanager
async def appending(
    service: Service, client: Client, place: str, offset: int, *, method: str = "PATCH"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Send the head of a request whose content does not end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    kind = PARTIAL if method == "PATCH" else "text/csv"
    writer.write(
        f"{method} {place} HTTP/1.1\r\nHost: x\r\nx-api-key: {client.key}\r\nContent-Type: {kind}\r\n"
        f"Upload-Offset: {offset}\r\nUpload-Complete: ?1\r\nContent-Length: {len(LARGE) - offset}\r\n"
        "Upload-Draft-Interop-Version: 9\r\n\r\n".encode()
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def stored(ctx: Context, bytes_: int) -> None:
    query = "SELECT sum(arrived) >= $1 FROM resumable_uploads"
    await until(lambda: ctx.pool.fetchval(query, bytes_))


async def test_a_cut_keeps_every_byte_that_has_arrived(
    ctx: Context, service: Service, client: Client
) -> None:
    place = (await create(client)).headers["Location"]
    async with appending(service, client, place, 0) as (_, writer):
        writer.write(LARGE[: PIECE_BYTES + 1000])
        await stored(ctx, PIECE_BYTES)
    await stored(ctx, PIECE_BYTES + 1000)
    assert await offset_of(client, place) == PIECE_BYTES + 1000
    done = await append(client, place, PIECE_BYTES + 1000, LARGE[PIECE_BYTES + 1000 :], complete=True)
    assert done.status == 202, done
    await work(ctx)
    assert (await client.job(done))["total"] == LARGE.count(LINE)


async def test_a_new_request_takes_over_from_one_that_hangs(
    ctx: Context, service: Service, client: Client
) -> None:
    place = (await create(client)).headers["Location"]
    async with appending(service, client, place, 0) as (reader, writer):
        writer.write(LARGE[: PIECE_BYTES + 1000])
        await stored(ctx, PIECE_BYTES)
        offset = await offset_of(client, place)
        writer.write(LARGE[PIECE_BYTES + 1000 :])
        heads = [await reader.readuntil(b"\r\n\r\n") for _ in range(2)]
        assert [head.split()[1] for head in heads] == [b"104", b"409"]  # of the piece that was stored before
        assert await offset_of(client, place) == offset
    done = await append(client, place, offset, LARGE[offset:], complete=True)
    assert done.status == 202, done
    await work(ctx)
    assert (await client.job(done))["total"] == LARGE.count(LINE)
    assert len(await client.jobs()) == 1


async def test_interim_responses_tell_the_place_and_the_progress(service: Service, client: Client) -> None:
    async with appending(service, client, UPSERT, 0, method="POST") as (reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 104 Upload Resumption Supported\r\n")
        assert "Upload-Draft-Interop-Version: 9\r\n" in head
        assert "Location: /v1/uploads/upl_" in head
        assert "Upload-Limit: max-size=" in head
        writer.write(LARGE)
        progress = [(await reader.readuntil(b"\r\n\r\n")).decode() for _ in range(3)]
        for number, text in enumerate(progress, start=1):
            assert f"Upload-Offset: {number * PIECE_BYTES}\r\n" in text
        assert not any("Location" in text for text in progress)
        final = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert final.startswith("HTTP/1.1 202")
        assert "Upload-Complete: ?1" in final


async def test_a_client_of_another_version_gets_no_interim_response(client: Client) -> None:
    response = await create(client, CSV, complete=True, Upload_Draft_Interop_Version="8")
    assert response.status == 202


async def test_two_clients_that_complete_at_once_get_one_job(ctx: Context, client: Client) -> None:
    place = (await create(client, LARGE)).headers["Location"]
    done = await asyncio.gather(*(append(client, place, len(LARGE), complete=True) for _ in range(5)))
    assert {response.status for response in done} == {202}
    assert len({response.json["id"] for response in done}) == 1
    await work(ctx)
    assert [job["total"] for job in await client.jobs()] == [LARGE.count(LINE)]


async def test_a_job_that_a_dead_process_was_making_is_made_anew(
    ctx: Context, service: Service, client: Client
) -> None:
    place = (await create(client, LARGE)).headers["Location"]
    dead = new_job_id()
    await ctx.pool.execute(
        """
        WITH attempt AS (UPDATE resumable_uploads SET complete = true, job_id = $1 RETURNING account_id)
        INSERT INTO jobs
            (account_id, id, operation, stream, state, format, parallel, request_id, lease_until)
        SELECT account_id, $1, 'contacts.upsert', 'contacts', 'receiving', 'csv', 1, 'r',
            now() + interval '1 s'
        FROM attempt
        """,
        dead,
    )
    await ctx.pool.execute("INSERT INTO parts SELECT account_id, id, 0, 'half' FROM jobs WHERE id = $1", dead)
    done = await append(client, place, len(LARGE), complete=True)  # after the lease of the dead one
    assert done.status == 202, done
    await work(ctx)
    assert [job["total"] for job in await client.jobs()] == [LARGE.count(LINE)]


async def test_an_attempt_that_was_replaced_cannot_accept_its_job(
    ctx: Context, service: Service, client: Client
) -> None:
    """A process was stopped while it made the job, and another one made it meanwhile."""
    place = (await create(client, LARGE)).headers["Location"]
    uploads: Uploads = service.api.uploads
    await ctx.pool.execute("UPDATE resumable_uploads SET complete = true")
    async with ctx.pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE upload_pieces")  # both wait for the first piece
        first = asyncio.create_task(append(client, place, len(LARGE), complete=True))
        await until(lambda: _leased(uploads))
        uploads.leased.clear()  # nobody renews its lease any more
        await ctx.pool.execute(
            "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE state = 'receiving'"
        )
        second = asyncio.create_task(append(client, place, len(LARGE), complete=True))
        replaced = "SELECT count(*) = 1 AND bool_and(lease_until > now()) FROM jobs"
        await until(lambda: ctx.pool.fetchval(replaced))
    responses = await asyncio.gather(first, second)
    assert {response.status for response in responses} <= {202, 503}
    (job,) = await client.jobs()
    assert job["id"] in [response.json.get("id") for response in responses]


async def _leased(uploads: Uploads) -> bool:
    return bool(uploads.leased)


async def test_a_repeated_creation_finds_its_upload(ctx: Context, client: Client) -> None:
    first = await create(client, CSV[:500], Idempotency_Key="k")
    again = await create(client, CSV[:1000], Idempotency_Key="k")
    assert (again.status, again.headers["Location"]) == (201, first.headers["Location"])
    assert (again.json["offset"], again.headers["Idempotent-Replayed"]) == (1000, "true")
    done = await create(client, CSV, complete=True, Idempotency_Key="k")
    assert done.status == 202, done
    replayed = await create(client, CSV, complete=True, Idempotency_Key="k")
    assert (replayed.json["id"], replayed.headers["Idempotent-Replayed"]) == (done.json["id"], "true")
    plain = await client.submit(CSV, "text/csv", Idempotency_Key="k")
    assert plain.json["id"] == done.json["id"]  # it is the same request
    other = await create(client, CSV, Idempotency_Key="k", content_type="application/x-ndjson")
    assert (other.status, other.error["code"]) == (422, "idempotency_key_reuse")
    assert len(await client.jobs()) == 1


async def test_a_digest_of_what_has_arrived_can_be_had(client: Client) -> None:
    place = (await create(client, CSV[:500])).headers["Location"]
    response = await client.get(place, Want_Repr_Digest="sha-256=10")
    import base64
    import hashlib

    digest = base64.b64encode(hashlib.sha256(CSV[:500]).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert "Repr-Digest" not in (await client.get(place)).headers


async def test_a_creation_that_is_repeated_after_the_end_finds_its_upload(client: Client) -> None:
    first = await create(client, CSV, Idempotency_Key="k")
    place = first.headers["Location"]
    done = await append(client, place, len(CSV), complete=True)
    again = await create(client, Idempotency_Key='"k"')  # the same key as a quoted string
    assert (again.status, again.headers["Location"], again.headers["Upload-Complete"]) == (201, place, "?1")
    assert (again.json["job_id"], again.json["offset"]) == (done.json["id"], len(CSV))
    assert len(await client.jobs()) == 1
