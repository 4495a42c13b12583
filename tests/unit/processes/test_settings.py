"""A wrong setting is explained in one line, which does not contain its value."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.servers import open_home
from schemas.settings import SettingsError, get_settings, shown_url

WRONG = {
    "PORT": "http",
    "LOG_LEVEL": "loud",
    "DATABASE_URL": "mysql://user:secret@host/name",
    "REDIS_URL": "secret.host:6379",
    "COMMUNICATION_PREFERENCES": "mute_most",
    "KEEP_JOBS_DAYS": "-17",
    "HEADER_SECONDS": "quarter",
    "LOG_FORMAT": "xml",
}


@pytest.fixture(autouse=True)
def _without_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named_without_its_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, WRONG[name])
    with pytest.raises(SettingsError, match=f"^a setting is not valid: {name}: [^\n]+$") as raised:
        get_settings.__wrapped__()
    assert WRONG[name] not in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PORT", "abc", "is not a whole number: write only digits, as in 8080"),
        ("PORT", "70000", "must be at most 65535"),
        ("LOG_FORMAT", "xml", "must be 'console' or 'json'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "write it like http://host:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be 'http/protobuf'"),
        ("COMMUNICATION_PREFERENCES", "[]", 'write it like ["allow_all", "mute_all"]'),
    ],
)
def test_a_message_says_what_to_write(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=re.escape(says)):
        get_settings.__wrapped__()


def test_a_port_that_is_no_number_makes_a_url_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host:port/name")
    with pytest.raises(SettingsError, match=r"DATABASE_URL: .*postgresql://user:password@host:5432/database"):
        get_settings.__wrapped__()


def test_a_database_may_have_several_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://user:secret@one:5432,[::1]:5433,two/name?target_session_attrs=primary"
    monkeypatch.setenv("DATABASE_URL", url)
    assert get_settings.__wrapped__().database_url == url
    assert shown_url(url) == "one:5432,[::1]:5433,two"
    monkeypatch.setenv("DATABASE_URL", "postgresql://one:5432,two:port/name")
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        get_settings.__wrapped__()


def test_an_empty_url_is_an_unset_one_and_levels_have_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    settings = get_settings.__wrapped__()
    assert (settings.database_url, settings.log_level) == (None, "DEBUG")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:secret@host:5433/name?sslmode=require", "host:5433"),
        ("postgresql://bulklane@/bulklane?host=/tmp/folder&port=5432", "/tmp/folder"),
        ("unix:///tmp/valkey.sock?db=1", "/tmp/valkey.sock"),
        ("redis://:secret@host/0", "host"),
    ],
)
def test_the_server_of_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize("module", ["api", "worker"])
def test_a_process_with_a_wrong_setting_ends_with_2(module: str) -> None:
    env = os.environ | {"PORT": "http"}
    command = [sys.executable, "-m", module]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("a setting is not valid: PORT: ")
    assert done.stderr.count("\n") == 1


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"BULKLANE_HOME: cannot write to .*file/home: Not a directory"):
        open_home(tmp_path / "file" / "home")
