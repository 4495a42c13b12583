"""The folders of an installation, and the user that owns them."""

import contextlib
import hashlib
import os
import pwd
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from schemas.settings import SettingsError

STATE_ROOT = Path("/var/lib/bulklane")  # root's servers run as nobody, who cannot enter /root
SOCKET_BYTES = 100  # sockaddr_un allows 108 bytes, on macOS 104
LONGEST_SOCKET = ".s.PGSQL.5432"


class EmbeddedError(Exception):
    """An embedded program cannot run. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that runs the servers in place of root."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Home:
    """The folders of one installation.

    `path` contains dev.json, log/ and run/ (the lock, the pids, the demo key). `state` contains what the
    servers write: pg/, valkey/ and `sockets`. Both are the same folder, except for root, where `state`
    belongs to `owner`.
    """

    path: Path
    state: Path
    sockets: Path
    owner: Owner | None

    @property
    def log(self) -> Path:
        """The folder with one log file per process."""
        return self.path / "log"

    @property
    def run(self) -> Path:
        """The folder for the lock, the pids and the demo key."""
        return self.path / "run"

    def tidy(self) -> None:
        """Remove the socket folder if it is temporary and empty. A server creates it again."""
        if self.sockets.parent != self.state:
            with contextlib.suppress(OSError):
                self.sockets.rmdir()

    def make_state(self, folder: Path) -> None:
        """Create `state` and a folder in it, private to the servers' user."""
        make_open(self.state.parent)
        for missing in (self.state, folder):
            _make(missing, self.owner)

    def make_sockets(self) -> None:
        """Create the socket folder, private to the servers' user."""
        self.make_state(self.sockets)
        if not _is_private(self.sockets, _uid(self.owner)):
            raise EmbeddedError(f"{self.sockets} must belong to the servers' user alone: remove it")


def open_home(path: Path) -> Home:
    """Return the home in the folder `path`. Create it if it is missing. Root's state is under STATE_ROOT.

    Raises SettingsError if it cannot be created or written.
    """
    path = path.absolute()
    owner = _owner()
    try:
        for folder in (path, path / "log", path / "run"):
            _make(folder, None)
        tempfile.TemporaryFile(dir=path / "run").close()
        state = path if owner is None else _state_of(path)
    except OSError as error:
        text = f"a setting is not valid: BULKLANE_HOME: cannot write to {path}: {error.strerror}: "
        raise SettingsError(text + "choose a folder of your own") from error
    return Home(path=path, state=state, sockets=_sockets(state, owner), owner=owner)


def open_scratch(path: Path) -> Home:
    """Return a home whose state is inside `path`, also for root, so that removing `path` removes everything.

    `path` exists and belongs to this user. All users can enter the folders above it, as with /tmp.
    """
    path = path.absolute()
    owner = _owner()
    for folder in (path / "log", path / "run"):
        _make(folder, None)
    if owner is not None:
        path.chmod(0o711)  # the user nobody can enter its own folder, but cannot list this one
    state = path / "state"
    _make(state, owner)
    return Home(path=path, state=state, sockets=_sockets(state, owner), owner=owner)


def retired_states(home: Home) -> list[Path]:
    """Return the states of deleted homes that had the same path. No home refers to them any more."""
    if home.owner is None:
        return []
    return [state for state in home.state.parent.glob(f"{_digest(home.path)}-*") if state != home.state]


def _owner() -> Owner | None:
    """Return the user for root's servers, because PostgreSQL refuses to run as root. None for other users."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Owner(nobody.pw_uid, nobody.pw_gid)


def _state_of(path: Path) -> Path:
    """Return root's state, named by the home's path and a random word in it, so that a new home is empty."""
    word_file = path / "run" / "state"
    try:
        word = word_file.read_text().strip()
    except FileNotFoundError:
        word = secrets.token_hex(4)
        word_file.write_text(f"{word}\n")
    return STATE_ROOT / f"{_digest(path)}-{word}"


def _sockets(state: Path, owner: Owner | None) -> Path:
    """Return the socket folder: in the state, or in the temporary folder if clients cannot use that path.

    The length of a socket's path is limited, and comma and colon have a meaning in connection strings.
    """
    folder = state / "run"
    name = os.fsencode(folder / LONGEST_SOCKET)
    if len(name) <= SOCKET_BYTES and b"," not in name and b":" not in name:
        return folder
    uid = _uid(owner)
    short = Path(tempfile.gettempdir()) / f"bulklane-{uid}-{_digest(state)}"
    if len(os.fsencode(short / LONGEST_SOCKET)) > SOCKET_BYTES:
        short = Path("/tmp") / short.name  # noqa: S108 - its owner and mode are checked below
    if _is_private(short, uid):
        return short
    other = Path(tempfile.mkdtemp(prefix=f"{short.name}-", dir=short.parent))
    os.chown(other, uid, owner.gid if owner else -1)
    return other


def _is_private(folder: Path, uid: int) -> bool:
    """Return whether the folder is missing, or belongs to the user and no other user can enter it."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return True
    return stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not status.st_mode & 0o077


def make_open(folder: Path) -> None:
    """Create a folder that all users can enter, with any umask. An existing folder does not change."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def _make(folder: Path, owner: Owner | None) -> None:
    """Create a private folder. An existing folder does not change."""
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    if owner is not None:
        os.chown(folder, owner.uid, owner.gid)


def _uid(owner: Owner | None) -> int:
    return owner.uid if owner else os.geteuid()


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
