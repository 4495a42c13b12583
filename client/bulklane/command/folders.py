"""The folders of the user in which the command keeps files, and how it writes them."""

import os
import sys
from pathlib import Path

import typer

NAME = "bulklane"


def config_folder() -> Path:
    """Return the folder of the profiles: `~/.config/bulklane`, or what this system has in its place."""
    return _folder("XDG_CONFIG_HOME", ".config")


def state_folder() -> Path:
    """Return the folder of what the command remembers: `~/.local/state/bulklane`."""
    return _folder("XDG_STATE_HOME", ".local/state")


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically. Only its owner can read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)


def _folder(variable: str, usual: str) -> Path:
    if sys.platform in {"darwin", "win32"}:
        return Path(typer.get_app_dir(NAME))
    given = os.environ.get(variable)
    # the specification of these variables: a relative path is as if there was none
    parent = given if given and os.path.isabs(given) else os.path.join(os.path.expanduser("~"), usual)
    return Path(parent) / NAME
