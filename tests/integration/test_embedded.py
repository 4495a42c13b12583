"""The embedded servers start in any state that the last run left, and leave no process behind."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
from redis.asyncio import Redis

from embedded.servers import Home, Postgres, StartFailed, Valkey, home, open_home, open_scratch, processes
from tests.integration.embedded_home import make_home
from tests.waiting import wait_for

DEADLINE_SECONDS = 20

Server = TypeVar("Server", bound=Postgres | Valkey)

pytestmark = pytest.mark.skipif(
    not processes.PROC.is_dir(), reason="embedded servers identify processes by /proc, which only Linux has"
)


async def test_postgres_keeps_its_data_across_restarts(scratch: Home) -> None:
    postgres = await started(Postgres(scratch, durable=False))
    await query(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    await postgres.stop()
    assert postgres.pid is None

    again = await started(Postgres(scratch, durable=False))

    assert await query(again, "SELECT answer FROM kept") == 42
    await again.stop()


async def test_valkey_keeps_its_data_across_restarts(scratch: Home) -> None:
    valkey = await started(Valkey(scratch))
    async with Redis.from_url(valkey.url) as redis:
        await redis.set("kept", "42")
    await valkey.stop()

    again = await started(Valkey(scratch))

    async with Redis.from_url(again.url) as redis:
        assert await redis.get("kept") == b"42"
    await again.stop()


async def test_postgres_uses_utf8_in_byte_order_and_utc(scratch: Home) -> None:
    postgres = await started(Postgres(scratch))
    settings = """SELECT concat_ws(' ', current_setting('timezone'), current_setting('listen_addresses') = '',
                         current_setting('fsync'), encoding, datcollate, datlocprovider, datlocale)
                  FROM pg_database WHERE datname = current_database()"""

    assert await query(postgres, settings) == "UTC t on 6 C b C.UTF-8"
    await postgres.stop()


async def test_the_environment_of_the_user_has_no_effect(
    scratch: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    language = {"LANG": "xx_XX.UTF-8", "LC_ALL": "xx"}
    clients = {"PGPORT": "1", "PGDATA": "/nowhere", "PGSSLMODE": "verify-full"}
    for name, value in (language | clients).items():
        monkeypatch.setenv(name, value)

    postgres = await started(Postgres(scratch, durable=False))

    assert await query(postgres, "SELECT current_user || '@' || current_database()") == "bulklane@bulklane"
    await postgres.stop()


async def test_postgres_restarts_after_kill_9_with_all_committed_data(scratch: Home) -> None:
    postgres = await started(Postgres(scratch))
    await query(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.send(signal.SIGKILL)
    assert await postgres.wait() == -signal.SIGKILL

    await postgres.start()
    await postgres.wait_ready()

    assert await query(postgres, "SELECT answer FROM kept") == 42
    await postgres.stop()


async def test_a_recovery_writes_the_data_folder_in_one_call(scratch: Home) -> None:
    postgres = await started(Postgres(scratch))
    assert await query(postgres, "SHOW recovery_init_sync_method") == "syncfs"
    await postgres.stop()


async def test_a_slow_start_is_asked_at_most_ten_times_a_second(scratch: Home) -> None:
    clock = asyncio.get_running_loop().time
    attempts: list[float] = []

    class Slow(Valkey):
        async def is_ready(self) -> bool:
            attempts.append(clock())
            return attempts[-1] - attempts[0] >= 1

    slow = await started(Slow(scratch))
    await slow.stop()
    assert len(attempts) <= 16  # four with shorter pauses


async def test_valkey_restarts_after_kill_9(scratch: Home) -> None:
    valkey = await started(Valkey(scratch))
    valkey.send(signal.SIGKILL)
    assert await valkey.wait() == -signal.SIGKILL

    await valkey.start()
    await valkey.wait_ready()

    assert valkey.pid is not None
    await valkey.stop()


@pytest.mark.parametrize("kind", [Postgres, Valkey])
async def test_a_live_server_of_the_same_data_is_stopped_first(
    scratch: Home, kind: type[Postgres] | type[Valkey]
) -> None:
    left_behind = await started(kind(scratch))

    successor = await started(kind(scratch))

    assert left_behind.pid is None
    assert successor.pid is not None
    await successor.stop()


async def test_a_pid_file_with_the_pid_of_another_program_is_removed_and_the_program_not_stopped(
    scratch: Home,
) -> None:
    postgres = await started(Postgres(scratch, durable=False))
    socket_lock = scratch.sockets / ".s.PGSQL.5432.lock"
    pid_files = {file: file.read_text() for file in (postgres.data / "postmaster.pid", socket_lock)}
    first_pid = str(postgres.pid)
    await postgres.stop()
    uid = scratch.owner.uid if scratch.owner else None
    with subprocess.Popen(["sleep", "60"], user=uid) as other:  # noqa: ASYNC220 - starting it takes no time
        for file, text in pid_files.items():
            file.write_text(text.replace(first_pid, str(other.pid), 1))

        await postgres.start()
        await postgres.wait_ready()

        assert other.poll() is None
        other.kill()
    await postgres.stop()


@pytest.mark.parametrize(
    "name", ["with spaces in it", "l" * 120, "comma,colon:percent%", "quote'\"quote", "ümläut"]
)
async def test_a_home_may_have_any_path(folder: Path, name: str) -> None:
    scratch = make_home(folder / name / "home")
    postgres, valkey = await asyncio.gather(
        started(Postgres(scratch, durable=False)), started(Valkey(scratch, durable=False))
    )

    assert await query(postgres, "SELECT true")
    async with Redis.from_url(valkey.url) as redis:
        assert await redis.ping()
    await asyncio.gather(postgres.stop(), valkey.stop())
    scratch.tidy()
    assert scratch.sockets.parent == scratch.state or not scratch.sockets.exists()


async def test_two_homes_are_independent(folder: Path) -> None:
    homes = [make_home(folder / name) for name in ("one", "two")]
    first, second = await asyncio.gather(*(started(Postgres(each, durable=False)) for each in homes))
    await query(first, "CREATE TABLE mine ()")

    assert await query(second, "SELECT to_regclass('mine')") is None
    await first.stop()
    assert await query(second, "SELECT true")
    await second.stop()


async def test_the_servers_die_with_the_process_that_started_them(scratch: Home) -> None:
    program = f"""
import asyncio
from pathlib import Path
from embedded.servers import Postgres, Valkey, open_scratch

async def main():
    home = open_scratch(Path({str(scratch.path)!r}))
    servers = Postgres(home, durable=False), Valkey(home, durable=False)
    for server in servers:
        await server.start()
        await server.wait_ready()
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)  # noqa: ASYNC220
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"ready\n"
    assert len(running(scratch)) > 1

    starter.kill()
    starter.wait()

    wait_for(lambda: not running(scratch), seconds=DEADLINE_SECONDS)


async def test_a_server_that_cannot_start_reports_the_reason(scratch: Home) -> None:
    postgres = await started(Postgres(scratch, durable=False))
    await postgres.stop()
    (postgres.data / "postgresql.conf").write_text("no_such_setting = 1\n")

    await postgres.start()

    with pytest.raises(StartFailed, match=r"(?s)ended with 1.*no_such_setting.*DATABASE_URL"):
        await postgres.wait_ready()


async def test_an_incomplete_data_folder_is_created_again(scratch: Home) -> None:
    half = scratch.state / "pg.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    postgres = await started(Postgres(scratch, durable=False))

    assert await query(postgres, "SELECT true")
    assert not half.exists()
    await postgres.stop()


def test_data_and_sockets_are_private(scratch: Home) -> None:
    scratch.make_sockets()

    assert {oct(path.stat().st_mode & 0o777) for path in (scratch.state, scratch.sockets, scratch.log)} == {
        "0o700"
    }


def test_an_untrusted_folder_in_the_temporary_folder_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    path = folder / ("l" * 120)
    expected = make_home(path).sockets
    expected.mkdir(mode=0o777)
    expected.chmod(0o777)

    assert open_scratch(path).sockets != expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps the state outside the home")
def test_the_state_of_root_is_outside_and_a_new_home_at_the_same_path_is_empty(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "STATE_ROOT", folder / "state")
    path = folder / "home"
    first = open_home(path)
    first.make_sockets()
    assert open_home(path) == first
    shutil.rmtree(path)

    second = open_home(path)

    assert first.state.parent == second.state.parent == folder / "state"
    assert home.retired_states(second) == [first.state]


async def started(server: Server) -> Server:
    await server.start()
    await server.wait_ready(DEADLINE_SECONDS)
    return server


async def query(postgres: Postgres, sql: str) -> object:
    connection = await asyncpg.connect(postgres.url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def running(scratch: Home) -> list[processes.Mark]:
    return [
        *processes.inside(scratch.state / "pg", "postgres"),
        *processes.inside(scratch.state / "valkey", "valkey-server"),
    ]
