"""Break uploads: the client cuts them, PostgreSQL loses their parts, the api dies. A 202 means everything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import pytest

from tests.faults.harness import invariants
from tests.faults.harness.client import NO_ANSWER, PatientClient, counts, ndjson
from tests.faults.harness.cluster import Cluster
from tests.faults.harness.effects import assert_once
from tests.faults.harness.recovery import Record
from tests.faults.harness.workload import large_items
from tests.integration.api.service import UPSERT
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ITEMS = 3_000
BODY = ndjson(large_items(range(ITEMS), "once"))  # about 3 MB: several parts
PIECE = 64 * 1024
NDJSON = "application/x-ndjson"


class Cut(ConnectionError):
    """The client cuts its upload."""


async def _send(client: PatientClient, key: str, body: AsyncIterator[bytes]) -> int:
    """Send one upload; return the status, or 0 if there was no answer."""
    headers = {"Content-Type": NDJSON, "Idempotency-Key": key}
    with suppress(*NO_ANSWER):
        return (await client.once("POST", UPSERT, data=body, headers=headers)).status
    return 0


async def test_an_upload_cut_at_every_64_kib_is_accepted_once(running: Cluster) -> None:
    client = await running.client()

    async def until_cut(size: int) -> AsyncIterator[bytes]:
        yield BODY[:size]
        raise Cut

    for size in range(PIECE, len(BODY), PIECE):
        assert await _send(client, "the key", until_cut(size)) in {0, 409}
    job = await client.submit(BODY, key="the key")
    assert await client.submit(BODY, key="the key") == job
    assert counts(await client.ended(job)) == {"created": ITEMS}
    await invariants.hold(running)
    await assert_once(running, client, {"once": ITEMS})


async def _send_and_lose_a_part(running: Cluster) -> tuple[PatientClient, str, int]:
    """Send an upload during which a crash loses a part. Return its client, its key and the answer's status.

    Each durable commit saves the parts before it, also the one that renews the upload's lease every second.
    So not every crash loses a part.
    """
    stored = "SELECT FROM parts WHERE account_id = $1 AND part = 1"
    for _ in range(10):
        client, key, crashed = await running.client(), uuid4().hex, asyncio.Event()
        sending = asyncio.create_task(_send(client, key, _paused(crashed)))
        await until(lambda account_id=client.account_id: running.sql(stored, account_id))  # type: ignore[misc]
        await running.kill_backend()
        await running.database_accepts()
        lost = not await running.sql(stored, client.account_id)
        crashed.set()
        status = await sending
        if lost:
            return client, key, status
    pytest.fail("no crash lost a part, so this test shows nothing")


async def _paused(crashed: asyncio.Event) -> AsyncIterator[bytes]:
    half = 2 * 1024 * 1024 + PIECE
    yield BODY[:half]
    await crashed.wait()
    yield BODY[half:]


async def test_an_upload_that_lost_a_part_is_not_accepted(running: Cluster) -> None:
    client, key, status = await _send_and_lose_a_part(running)
    assert status != 202
    job = await client.submit(BODY, key=key)
    assert counts(await client.ended(job)) == {"created": ITEMS}
    await invariants.hold(running)
    await assert_once(running, client, {"once": ITEMS})


@pytest.mark.parametrize("part", ["api", "postgres"])
async def test_the_key_of_a_lost_upload_is_free_soon(
    running: Cluster, part: str, record_property: Record
) -> None:
    client = await running.client()
    died = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield BODY[: 2 * 1024 * 1024]
        await died.wait()
        yield BODY[2 * 1024 * 1024 :]

    sending = asyncio.create_task(_send(client, "the key", body()))
    await until(lambda: running.sql("SELECT FROM parts WHERE account_id = $1", client.account_id))
    victim = running.apis[0] if part == "api" else running.postgres
    await victim.kill()
    await victim.back()
    died.set()
    await sending
    started = asyncio.get_running_loop().time()
    job = await client.submit(BODY, key="the key")
    seconds = asyncio.get_running_loop().time() - started
    record_property("recovery", f"{seconds:6.2f} s  the Idempotency-Key after SIGKILL of {part}")
    assert counts(await client.ended(job)) == {"created": ITEMS}
    await invariants.hold(running)
    await assert_once(running, client, {"once": ITEMS})
