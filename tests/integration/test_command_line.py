"""The command line starts fast, and reports an error in one line."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from bulklane.command.app import app
from schemas.ids import read_account_id, show_job_id
from schemas.settings import get_settings
from storage.access import api_keys
from storage.context import Context
from storage.entities import accounts
from tests.factories import contact, make_job
from tests.servers import TestServers
from tests.waiting import until
from tests.workers import claim
from worker.signs.heartbeat import beating

BULKLANE = Path(sys.executable).with_name("bulklane")
HEAVY = ("aiohttp", "arq", "redis", "asyncpg", "phonenumbers", "pydantic", "sqlalchemy")


def bulklane(*words: str, home: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [BULKLANE, *words],
        env={"BULKLANE_HOME": str(home), "PATH": "/usr/bin:/bin", "NO_COLOR": "1", "COLUMNS": "200", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_version_prints_the_versions_of_the_command_and_of_the_service(tmp_path: Path) -> None:
    done = bulklane("--version", home=tmp_path)

    versions = [f"{name} {version(name)}\n" for name in ("bulklane-client", "bulklane")]
    assert (done.returncode, done.stdout) == (0, "".join(versions))


def test_the_command_line_imports_no_heavy_module() -> None:
    code = f"import sys, bulklane.command.app; print([name for name in {HEAVY!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["", "a" * 201])
def test_an_account_without_a_usable_name_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    done = bulklane("accounts", "create", name, home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"bulklane: the name has {len(name)} characters: use 1 to 200\n"


@pytest.mark.parametrize("words", [("accounts", "list"), ("keys", "list", "demo"), ("migrate",)])
def test_a_command_without_a_service_explains_how_to_start_one(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = bulklane(*words, home=tmp_path)

    assert done.returncode == 1
    assert done.stderr == (
        f"bulklane: no service runs in {tmp_path}: start it with ./run, or set DATABASE_URL\n"
    )


@pytest.mark.parametrize("words", [("accounts", "list"), ("migrate",)])
def test_an_unreachable_database_is_reported_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = bulklane(*words, home=tmp_path, DATABASE_URL="postgresql://localhost:1/none")

    assert done.returncode == 1
    assert done.stderr.startswith("bulklane: no connection to the database: ")
    assert done.stderr.count("\n") == 1


async def test_a_database_without_tables_is_reported_with_the_command_to_migrate(
    tmp_path: Path, servers: TestServers, redis: Redis
) -> None:
    conn = await asyncpg.connect(servers.database_url)
    await conn.execute("CREATE DATABASE without_tables")
    url = servers.database_url.replace("/bulklane?", "/without_tables?")

    done = bulklane("accounts", "list", home=tmp_path, DATABASE_URL=url)

    await conn.execute("DROP DATABASE without_tables")
    await conn.close()
    assert done.stderr == "bulklane: the database has no tables yet: run `bulklane migrate`\n"


def test_accounts_and_keys_are_managed(tmp_path: Path, database_url: str) -> None:
    def run(*words: str) -> str:
        done = bulklane(*words, home=tmp_path, DATABASE_URL=database_url)
        return done.stdout + done.stderr

    assert "acme" in run("accounts", "create", "acme", "--region", "in")
    assert "already taken: another account has the name 'acme'" in run("accounts", "create", "acme")
    assert "'XX' is not a region" in run("accounts", "set", "acme", "--region", "XX")
    assert "there is no account 'nobody'" in run("accounts", "set", "nobody")
    key, _, details = run("keys", "create", "acme").partition("\n")
    key_id = details.partition(":")[0]
    assert key.startswith("bl_")
    assert key_id in run("keys", "list", "acme")
    assert run("keys", "revoke", key_id) == f"revoked {key_id} of acme\n"
    assert "can be revoked" in run("keys", "revoke", key_id)
    assert "IN" in run("accounts", "list")


@pytest.fixture
def settings_of_commands(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let commands in this process find the database of the test."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


async def call(*words: str, status: int = 0) -> str:
    """Run a command in this process, and return what it prints. A process for each takes a second."""
    done = await asyncio.to_thread(CliRunner(env={"COLUMNS": "80"}).invoke, app, words)
    assert done.exit_code == status, done.output
    assert not (status and done.stdout)
    return done.stdout or done.stderr


async def read(*words: str) -> Any:
    """Return the document that a command prints with --json."""
    return json.loads(await call(*words, "--json"))


@pytest.mark.usefixtures("settings_of_commands")
async def test_a_key_is_revoked_by_its_name(ctx: Context) -> None:
    for name in ("acme", "other"):
        await call("accounts", "create", name)
        await call("keys", "create", name, "--name", "ci")
    assert "already taken" in await call("keys", "create", "acme", "--name", "ci", status=1)
    several = await call("keys", "revoke", "ci", status=1)
    assert "several accounts have a key 'ci' (acme, other): add --account NAME" in several
    assert (await call("keys", "revoke", "ci", "--account", "other")).endswith(" of other\n")
    assert (await call("keys", "revoke", "ci")).endswith(" of acme\n")
    assert "can be revoked" in await call("keys", "revoke", "ci", status=1)


@pytest.mark.usefixtures("settings_of_commands")
async def test_a_key_has_scopes_and_an_end_and_is_rotated(ctx: Context) -> None:
    await call("accounts", "create", "acme")
    wanted = ("--name", "ci", "--scope", "read", "--scope", "write", "--days", "30")
    old = await read("keys", "create", "acme", *wanted)
    assert (old["scopes"], old["status"]) == (["read", "write"], "active")
    assert old["expires_at"] is not None
    new = await read("keys", "rotate", "ci", "--grace-hours", "0")
    assert (new["name"], new["scopes"], new["expires_at"]) == ("ci", old["scopes"], old["expires_at"])
    holder = await api_keys.by_key(ctx.pool, old["key"])
    assert holder is not None
    assert holder.expired_at is not None
    again = await call("keys", "rotate", old["id"], status=1)
    assert f"it was replaced by {new['id']}" in again
    assert "read, write" in await call("keys", "list", "acme")


@pytest.mark.usefixtures("settings_of_commands")
async def test_an_account_is_deleted_after_its_name_is_repeated(ctx: Context) -> None:
    await call("accounts", "create", "acme")
    await call("keys", "create", "acme")
    rows = {
        row["table"]: row["rows"] for row in (await read("accounts", "delete", "acme", "--dry-run"))["data"]
    }
    assert rows == {"api_keys": 1, "account_turns": 1}
    assert "add --yes" in await call("accounts", "delete", "acme", status=2)
    assert "there is no account 'nobody'" in await call("accounts", "delete", "nobody", "--yes", status=1)
    assert await accounts.by_name(ctx.pool, "acme") is not None
    assert await call("accounts", "delete", "acme", "--yes") == "deleted acme\n"
    assert await accounts.by_name(ctx.pool, "acme") is None
    await call("accounts", "create", "acme")


@pytest.mark.usefixtures("settings_of_commands")
async def test_the_commands_print_one_json_document_or_tables_that_cut_nothing(
    ctx: Context,
) -> None:
    assert (await read("accounts", "create", "acme", "--item-limit", "5"))["limits"]["items"] == 5
    assert (await read("accounts", "set", "acme", "--item-limit", "0"))["limits"]["items"] == 0
    (account,) = (await read("accounts", "list", "--search", "AC"))["data"]
    assert await read("accounts", "list", "--search", "x") == {"data": [], "next_cursor": None}
    created = await read("keys", "create", "acme", "--name", "ci")
    assert await api_keys.by_key(ctx.pool, created["key"]) is not None
    assert [key["name"] for key in (await read("keys", "list", "acme"))["data"]] == ["ci"]
    assert (await read("keys", "revoke", "ci"))["revoked_at"] is not None
    assert await api_keys.by_key(ctx.pool, created["key"]) is None

    account_id = read_account_id(account["id"])
    assert account_id is not None
    job = show_job_id(await make_job(ctx, account_id, [contact(1)]))
    async with beating(ctx):
        await until(lambda: ctx.pool.fetchval("SELECT count(*) FROM workers"))
        await claim(ctx)
        (worker,) = (await read("workers", "list"))["data"]
        assert [chunk["job_id"] for chunk in worker["chunks"]] == [job]
        assert job in await call("workers", "list")
    assert "there is no account 'x'" in await call("keys", "list", "x", "--json", status=1)


def test_a_wrong_setting_is_explained_without_its_value(tmp_path: Path) -> None:
    done = bulklane("accounts", "list", home=tmp_path, OPERATOR_KEY="too-short")

    assert done.returncode == 2
    assert done.stderr == (
        "bulklane: a setting is not valid: OPERATOR_KEY: has 9 characters: use at least 16\n"
    )


def test_the_index_of_the_search_is_switched_on_and_off(tmp_path: Path, database_url: str) -> None:
    def run(word: str) -> str:
        done = bulklane("search-index", word, home=tmp_path, DATABASE_URL=database_url)
        return done.stdout + done.stderr

    assert run("status") == "off\n"
    assert run("on") == "the search uses the index\n"
    assert run("status") == "on, 0 MiB\n"
    assert run("off") == "there is no index\n"
    assert run("status") == "off\n"
