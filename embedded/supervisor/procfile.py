"""The Procfile: the command lines that any process manager runs, ours among them."""

from dataclasses import dataclass
from pathlib import Path

from honcho.environ import parse_procfile  # type: ignore[import-untyped]  # honcho has no types

from embedded.supervisor.errors import SupervisorError

LINES = ("release", "api", "worker")


@dataclass(frozen=True, kw_only=True)
class Procfile:
    """One shell command a field."""

    release: str  # runs to its end before the others start
    api: str
    worker: str


def read(path: Path) -> Procfile:
    """The Procfile at `path`; SupervisorError if it cannot be read or lacks a line."""
    try:
        found: dict[str, str] = dict(parse_procfile(path.read_text()).processes)
    except OSError as error:
        raise SupervisorError(f"cannot read {path}: {error.strerror}") from error
    except AssertionError as error:  # honcho's way to refuse a name that stands there twice
        raise SupervisorError(f"{path}: {error}") from error
    missing = [name for name in LINES if name not in found]
    if missing:
        raise SupervisorError(f"{path} has no line {', '.join(f'`{name}: …`' for name in missing)}")
    return Procfile(release=found["release"], api=found["api"], worker=found["worker"])
