"""dev.json: tells the command line and the tests how to reach the running service."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from embedded.servers import processes

NAME = "dev.json"


@dataclass(frozen=True, kw_only=True)
class DevFile:
    """The content of dev.json. It contains secrets, so only the file's owner can read it."""

    url: str
    api_key: str | None = field(repr=False)  # of the demo account; None without one
    operator_key: str = field(repr=False)
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    pids: dict[str, list[int]]  # by role: postgres, valkey, api, worker; empty for an external server

    @property
    def sign_in_url(self) -> str:
        """The link that opens the pages, signed in: a browser keeps what stands behind the # to itself."""
        return f"{self.url}/sign-in#{self.api_key}" if self.api_key else f"{self.url}/sign-in"

    @property
    def operator_url(self) -> str:
        """The link that opens the pages of the operator, signed in."""
        return f"{self.url}/operator/sign-in#{self.operator_key}"


def save(home: Path, content: DevFile) -> None:
    """Replace the file atomically: a reader sees the old content or the new content."""
    replace_private(home / NAME, json.dumps(asdict(content), indent=2) + "\n")


def load(home: Path) -> DevFile | None:
    """Return the service that runs in this home, or None. The file of a killed service is ignored."""
    holder = processes.load(home / "run" / "lock")
    if holder is None or not processes.is_alive(holder):
        return None
    try:
        return DevFile(**json.loads((home / NAME).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def remove(home: Path) -> None:
    """Remove the file."""
    (home / NAME).unlink(missing_ok=True)


def read_private(path: Path) -> str | None:
    """Return the text of a file without the space around it; None if there is no file, or nothing in it."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None


def replace_private(path: Path, text: str) -> None:
    """Replace a file atomically. Only its owner can read it."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)
