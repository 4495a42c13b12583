"""Break PostgreSQL without killing it: full, read-only, no connections, a slow recovery, no statistics."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from embedded.servers import processes
from tests.factories import contact
from tests.faults.harness import invariants
from tests.faults.harness.client import PatientClient, counts
from tests.faults.harness.cluster import Cluster, cluster
from tests.faults.harness.effects import assert_once, effect_items, record_effects
from tests.faults.harness.recovery import Record, recovered
from tests.faults.harness.workload import submit_everything
from tests.servers import make_scratch_folder
from tests.waiting import wait_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

DISK_BYTES = 400 * 1024**2


async def _answers_503(client: PatientClient) -> None:
    """Send requests of each kind until each has been answered with 503; none may get a 500."""
    for method, path, options in (
        ("GET", "/v1/contacts", {}),
        ("POST", "/v1/bulk/contacts.upsert", {"json": [contact(1)]}),
        ("POST", "/v1/labels", {"json": {"name": "a label"}}),
    ):
        async with asyncio.timeout(30):
            while (response := await client.once(method, path, **options)).status != 503:
                assert response.status != 500, response
            assert "Retry-After" in response.headers


@asynccontextmanager
async def _read_only(running: Cluster) -> AsyncIterator[None]:
    conn = await running.connect()
    await conn.execute("SET default_transaction_read_only = off")
    await conn.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await conn.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await conn.execute("SELECT pg_reload_conf()")
        await conn.close()


@asynccontextmanager
async def _no_connections(running: Cluster) -> AsyncIterator[None]:
    """Take all connections: end those of others, and keep every one that becomes free."""
    held: list[asyncpg.Connection[asyncpg.Record]] = [await running.connect()]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bulklane%'"

    async def take_all() -> None:
        while True:
            await held[0].execute(others)
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    held.append(await running.connect())
            await asyncio.sleep(0.05)  # then others may have connected faster

    taking = asyncio.create_task(take_all())
    try:
        yield
    finally:
        taking.cancel()
        await asyncio.wait({taking})
        for conn in held:
            await conn.close()


@pytest.mark.parametrize("fault", ["read-only", "no connections"])
async def test_postgres_that_refuses_is_answered_with_503_and_loses_nothing(
    running: Cluster, fault: str, record_property: Record
) -> None:
    client = await running.client()
    job = await client.submit(effect_items(range(40_000), "once"))
    await running.has_applied(job, 1)
    async with _read_only(running) if fault == "read-only" else _no_connections(running):
        if fault == "read-only":
            response = await client.once("POST", "/v1/labels", json={"name": "a label"})
            assert response.status == 503, response
            assert "Retry-After" in response.headers
        else:
            await _answers_503(client)
        await asyncio.sleep(2)  # this is the fault: it has a length
    await recovered(running, f"PostgreSQL was {fault} for 2 s", record_property)
    await client.ended(job)
    await invariants.hold(running)
    await assert_once(running, client, {"once": 40_000})
    assert await running.most_deaths(client) == 0


@contextmanager
def _small_disk() -> Iterator[Path]:
    """Mount a disk of DISK_BYTES for the servers of a cluster; yield the folder of the cluster."""
    folder = make_scratch_folder()
    state = folder / "state"
    state.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(state)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        if os.geteuid() == 0:
            shutil.chown(state, "nobody", "nogroup")
            state.chmod(0o700)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_full_disk_loses_nothing(record_property: Record) -> None:
    with _small_disk() as folder:
        async with cluster(folder=folder) as running:
            await record_effects(running)
            client = await running.client()
            job = await client.submit(effect_items(range(60_000), "once"))
            await running.has_applied(job, 1)
            ballast = folder / "state" / "ballast"
            with suppress(OSError), ballast.open("wb") as file:  # the servers write at the same time
                while True:
                    file.write(bytes(1024**2))
            during = asyncio.create_task(client.submit(effect_items(range(60_000, 60_100), "during")))
            await asyncio.sleep(4)  # this is the fault: it has a length
            ballast.unlink()
            await running.database_accepts()
            await recovered(running, "the disk was full for 4 s", record_property)
            await client.ended(await during)
            await client.ended(job)
            await invariants.hold(running)
            await assert_once(running, client, {"once": 60_000, "during": 100})
            assert await running.most_deaths(client) == 0


async def test_a_long_recovery_blames_no_chunk_and_no_upload(
    running: Cluster, record_property: Record
) -> None:
    client = await running.client()
    job = await client.submit(effect_items(range(40_000), "once"))
    await running.has_applied(job, 1)
    await running.sql("CREATE TABLE ballast AS SELECT repeat('x', 500) FROM generate_series(1, 200000)")
    data = running.home.state / "pg"
    await running.kill_backend()
    startup = wait_for(lambda: _recovering(data), seconds=10)
    os.kill(startup, signal.SIGSTOP)
    await asyncio.sleep(9)  # this is the fault: longer than the lease of a chunk
    os.kill(startup, signal.SIGCONT)
    await running.database_accepts()
    await recovered(running, "a recovery of PostgreSQL that took 9 s", record_property)
    await client.ended(job)
    await running.sql("DROP TABLE IF EXISTS ballast")
    await invariants.hold(running)
    await assert_once(running, client, {"once": 40_000})
    assert await running.most_deaths(client) == 0, "a long recovery was counted as the death of a chunk"


def _recovering(data: Path) -> int | None:
    """Return the pid of the process that recovers the database after a crash, while there is one."""
    for marked in processes.inside(data, "postgres"):
        with suppress(OSError):
            if b"startup" in Path(f"/proc/{marked.pid}/cmdline").read_bytes():
                return marked.pid
    return None


@pytest.mark.long
@pytest.mark.parametrize("state", ["missing", "old"])
async def test_work_needs_no_statistics(running: Cluster, state: str) -> None:
    client = await running.client()
    tables = ("contacts", "jobs", "parts", "chunks", "outcomes", "item_errors", "streams", "account_turns")
    for table in tables:
        await running.sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        if state == "old":
            await running.sql(f"ANALYZE {table}")
    if state == "missing":
        await running.sql("DELETE FROM pg_statistic")
    job = await client.submit(effect_items(range(10_000, 40_000), "more"))
    await submit_everything(client)
    assert counts(await client.ended(job)) == {"created": 30_000}
    await client.all_ended()
    await invariants.hold(running)
    for table in tables:
        await running.sql(f"ALTER TABLE {table} RESET (autovacuum_enabled)")
