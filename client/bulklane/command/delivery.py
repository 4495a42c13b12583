"""What `bulklane send` sends: a file or standard input, with an operation and its parameters."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from bulklane._sync.client import Bulklane
from bulklane._sync.job import Job
from bulklane.compression import SUFFIXES
from bulklane.errors import ConfigurationError
from bulklane.rows import Format
from bulklane.sources import FORMATS

OnProgress: TypeAlias = Callable[[int, int | None], None]  # bytes that the service has, and their total
STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A file and what is to be done with its rows. `columns` and `parameters` are those of `jobs.submit`."""

    file: str
    operation: str
    columns: dict[str, str | None]
    format: Format | None
    charset: str | None
    parameters: dict[str, Any]

    @property
    def name(self) -> str:
        """What people call it."""
        return "standard input" if self.file == STDIN else Path(self.file).name


def check(delivery: Delivery) -> None:
    """Raise ConfigurationError if nothing tells the format; OSError if there is no such file."""
    path = Path(delivery.file)
    if delivery.file != STDIN:
        path.stat()
        if path.is_dir():
            raise ConfigurationError(f"{path} is a folder: give a file")
    if delivery.format is None and not _tells_format(path):
        raise ConfigurationError(f"what is the format of {delivery.name}? Give --format")


def deliver(client: Bulklane, delivery: Delivery, on_progress: OnProgress) -> Job:
    """Send the file; return its job."""
    options = {"columns": delivery.columns, "format": delivery.format, "charset": delivery.charset}
    arguments: Any = {"operation": delivery.operation, **options, **delivery.parameters}
    if delivery.file == STDIN:
        return client.jobs.submit(_Counted(sys.stdin.buffer, None, on_progress), **arguments)
    if Path(delivery.file).suffix.lower() in SUFFIXES:
        return client.jobs.submit(delivery.file, **arguments)
    with open(delivery.file, "rb") as file:
        total = os.fstat(file.fileno()).st_size
        return client.jobs.submit(_Counted(file, total, on_progress), **arguments)


def read_columns(maps: Sequence[str], drops: Sequence[str]) -> dict[str, str | None]:
    """Return the field of each column that is mapped, None for one that is left out.

    Raises ConfigurationError.
    """
    columns: dict[str, str | None] = {}
    for text in maps:
        column, equals, field = text.rpartition("=")  # a column may have one in its name, a field has none
        if not (equals and column and field):
            raise ConfigurationError(f"--map {text!r}: write COLUMN=FIELD, such as 'Mobile No.=phone'")
        _put(columns, column, field, "column")
    for column in drops:
        _put(columns, column, None, "column")
    return columns


def read_parameters(texts: Sequence[str], **own: Any) -> dict[str, Any]:
    """Return the parameters of `--param` and those with options of their own. Raises ConfigurationError."""
    parameters: dict[str, Any] = {name: value for name, value in own.items() if value}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name):
            raise ConfigurationError(f"--param {text!r}: write NAME=VALUE, such as list_id=lst_…")
        _put(parameters, name, value, "parameter")
    return parameters


def _put(values: dict[str, Any], name: str, value: Any, what: str) -> None:
    if name in values:
        raise ConfigurationError(f"the {what} {name!r} is given twice")
    values[name] = value


def _tells_format(path: Path) -> bool:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in SUFFIXES:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in FORMATS


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, total: int | None, on_progress: OnProgress) -> None:
        self._file = file
        self._total = total
        self._on_progress = on_progress
        self._done = 0
        self.name = cast("str", file.name)

    def read(self, size: int, /) -> bytes:
        """Read, and tell it."""
        data = self._file.read(size)
        self._done += len(data)
        self._on_progress(self._done, self._total if data else self._done)
        return data
