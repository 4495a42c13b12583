"""The uploads that this machine has begun and not finished, in files of the user.

One file an upload, without any key. A process that sends an upload holds the lock of its file.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bulklane.command.folders import state_folder, write_private
from bulklane.command.sending.shipment import Shipment
from bulklane.errors import ConfigurationError

SAFE_ID = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """An upload: its service and account, and the file as it was. `shipment` has the absolute path."""

    id: str
    url: str
    account: str
    size: int
    mtime_ns: int
    begun_at: str
    shipment: Shipment

    @property
    def path(self) -> Path:
        """The path of the file."""
        return Path(self.shipment.file)


def begun(upload_id: str, url: str, account: str, shipment: Shipment) -> Unfinished:
    """Return the upload of a file that is begun now."""
    status = os.stat(shipment.file)
    return Unfinished(
        id=upload_id,
        url=url,
        account=account,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        begun_at=datetime.now(UTC).isoformat(timespec="seconds"),
        shipment=shipment,
    )


def remember(upload: Unfinished) -> None:
    """Keep an upload until it is forgotten. Raises ConfigurationError if its id is no name of a file."""
    write_private(_file(upload.id), json.dumps(asdict(upload), indent=2) + "\n")


def forget(upload_id: str) -> None:
    """Remove an upload."""
    _file(upload_id).unlink(missing_ok=True)


def all_unfinished() -> list[Unfinished]:
    """Return the uploads, the newest last. A file that cannot be read is none."""
    found = []
    for path in _folder().glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found.append(Unfinished(**values | {"shipment": Shipment(**values["shipment"])}))
    return sorted(found, key=lambda upload: (upload.begun_at, upload.id))


def same_as(url: str, account: str, shipment: Shipment) -> Unfinished | None:
    """Return the newest upload of the same unchanged file with the same parameters; None: there is none."""
    now = begun("", url, account, shipment)
    for upload in reversed(all_unfinished()):
        if replace(upload, id="", begun_at=now.begun_at) == now:
            return upload
    return None


def newest(url: str, account: str, file: str | None) -> Unfinished:
    """Return the newest upload to an account, or that of a file. Raises ConfigurationError."""
    uploads = [
        upload for upload in all_unfinished() if file is None or upload.shipment.file == os.path.abspath(file)
    ]
    here = [upload for upload in uploads if upload.url == url]
    ours = [upload for upload in here if upload.account == account]
    if ours:
        return ours[-1]
    if here:
        raise ConfigurationError("the unfinished upload is one of another account: add --profile or --key")
    if uploads:
        raise ConfigurationError(f"the unfinished upload goes to {uploads[-1].url}: add --url or --profile")
    raise ConfigurationError(f"no upload{f' of {file}' if file else ''} is unfinished: send the file")


@contextmanager
def held(upload_id: str) -> Iterator[None]:
    """Hold the lock of an upload. Raises ConfigurationError if another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows: the service decides between two writers
        yield
        return
    with _file(upload_id).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another process sends the upload {upload_id}: wait for it, or add --restart"
            ) from None
        yield


def _folder() -> Path:
    return state_folder() / "uploads"


def _file(upload_id: str) -> Path:
    if not SAFE_ID.fullmatch(upload_id):
        raise ConfigurationError(f"{upload_id!r} is no id of an upload: is the URL that of a Bulklane api?")
    return _folder() / f"{upload_id}.json"
