"""The parts of the command that need no service, and its reference."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bulklane.command import progress
from bulklane.command.app import app, run
from bulklane.command.connection import Offer, choose
from bulklane.command.output import cell, printable
from bulklane.command.sending import shipment
from bulklane.decode import decode, document
from bulklane.errors import ConfigurationError
from bulklane.resource_models import ContactList
from bulklane.server_events import JobEvent

REFERENCE = (Path(__file__).parents[3] / "docs/reference/command-line.md").read_text()
ONE, OTHER = "https://one.example", "https://other.example"
OF_TYPER = {"--help", "--install-completion", "--show-completion"}


def offer(url: str | None, key: str | None) -> Offer:
    return Offer(place=f"{url} {key}", url=url, key=key)


def commands(group: Any, path: str = "bulklane") -> Iterator[tuple[str, Any]]:
    """Yield each command with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_each_command_and_option_is_in_the_reference() -> None:
    found = dict(commands(typer.main.get_command(app)))
    missing = [path for path in found if not re.search(rf"`{path}( [^`]*)?`", REFERENCE)]
    options = {
        name
        for command in found.values()
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }
    # one of --wait and --no-wait is the default
    missing += [name for name in options - OF_TYPER - {"--wait"} if f"`{name}" not in REFERENCE]
    assert not missing, "add them to docs/reference/command-line.md"
    named = {words.strip() for words in re.findall(r"\| `(bulklane(?: [a-z]+[a-z-]*)+)", REFERENCE)}
    assert not named - found.keys(), "the reference has commands that are gone"


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        ([offer(None, None), offer(ONE, "a"), offer(OTHER, "b")], (ONE, "a")),
        ([offer(OTHER, None), offer(ONE, "a"), offer(OTHER, "b")], (OTHER, "b")),
        ([offer(None, "k"), offer(ONE, "a")], (ONE, "k")),
        ([offer(ONE, None), offer(None, "k"), offer(ONE, "a")], (ONE, "k")),
    ],
)
def test_a_key_goes_to_the_url_that_stands_beside_it(offers: list[Offer], chosen: tuple[str, str]) -> None:
    access = choose(offers)
    assert (access.url, access.key) == chosen
    assert "key" not in repr(access)


def test_a_key_of_another_url_is_not_used() -> None:
    with pytest.raises(ConfigurationError, match=f"there is no key for {OTHER}"):
        choose([offer(OTHER, None), offer(ONE, "a")])
    with pytest.raises(ConfigurationError, match="where is the service"):
        choose([offer(None, "a")])
    with pytest.raises(ConfigurationError, match="there is no key for"):  # the file of a folder gets no key
        choose([offer(None, "a"), Offer(place="this folder", url=ONE, key=None, closed=True)])


def test_columns_and_parameters_are_read_from_words() -> None:
    maps = ["Mobile No.=phone", "a=b=name"]
    assert shipment.read_columns(maps, ["Notes"]) == {
        "Mobile No.": "phone",
        "a=b": "name",
        "Notes": None,
    }
    assert shipment.read_parameters(["region=IN", "x=a=b"], name=None, dry_run=True) == {
        "dry_run": True,
        "region": "IN",
        "x": "a=b",
    }


def test_a_value_cannot_command_the_terminal() -> None:
    assert printable("a\x1b[2J\r\n\u202eb é 高橋") == "a\\x1b[2J\\r\\n\\u202eb é 高橋"
    shown = {"at": "x", "seen_at": "2026-05-17T08:00:00.5Z", "on": True, "tags": [], "n": {"m": 12345}}
    assert [cell(shown, name) for name in ("seen_at", "on", "tags", "n.m", "n.x")] == [
        "2026-05-17 08:00:00",
        "yes",
        "-",
        "12345",
        "-",
    ]


def test_a_document_is_what_was_decoded() -> None:
    given = {
        "id": "lst_1",
        "name": "Spring",
        "state": "active",
        "contact_count": 3,
        "created_at": "2026-05-17T08:00:00Z",
        "updated_at": "2026-05-17T08:00:00.123456Z",
        "archived_at": None,
    }
    assert document(decode(ContactList, given)) == given
    assert document(JobEvent(id="1", kind="reset", job=None)) == {"id": "1", "kind": "reset", "job": None}


def test_bytes_are_shown_in_the_unit_that_people_use() -> None:
    assert [progress.size(count) for count in (0, 999, 1234, 456_789, 12_345_678, 1.5e9)] == [
        "0 bytes",
        "999 bytes",
        "1.2 kB",
        "457 kB",
        "12.3 MB",
        "1.50 GB",
    ]


def test_the_distribution_has_all_its_packages() -> None:
    folder = Path(__file__).parents[3] / "client"
    listed = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(folder).parts) for path in (folder / "bulklane").rglob("__init__.py")
    }
    assert set(listed) == found


def test_a_bug_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise KeyError("x")

    monkeypatch.setattr("bulklane.command.login.load_profiles", broken)
    assert run(["profiles"]) == 2
    assert capsys.readouterr().err == (
        "bulklane: this is a bug: KeyError: 'x' (BULKLANE_DEBUG=1 shows where)\n"
    )


def test_without_its_packages_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None; from bulklane.command import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "bulklane: the command needs the package typer: run pip install 'bulklane-client[cli]'\n"
    )


def test_the_command_needs_no_package_of_the_service() -> None:
    """Its users have the client alone."""
    foreign = "api", "cli", "embedded", "schemas", "storage", "worker", "pydantic", "aiohttp"
    code = (
        "import importlib.metadata, sys; importlib.metadata.entry_points = lambda **_: [];"
        "import bulklane.command.app;"
        f"print([name for name in {foreign} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
