"""What `bulklane send` sends: a file or standard input, with an operation and its parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulklane.compression import SUFFIXES
from bulklane.errors import ConfigurationError
from bulklane.rows import Format
from bulklane.sources import FORMATS

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
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


def check(shipment: Shipment, written: Sequence[Path]) -> None:
    """Raise ConfigurationError if the file cannot be sent or would be overwritten, OSError if it is gone."""
    path = Path(shipment.file)
    if not shipment.file:
        raise ConfigurationError("which file? Give FILE, or - for standard input, or --resume")
    if shipment.file != STDIN:
        path.stat()
        if path.is_dir():
            raise ConfigurationError(f"{path} is a folder: give a file")
        if any(other.exists() and other.samefile(path) for other in written):
            raise ConfigurationError(f"{path} is the file that is sent: write into another one")
    if shipment.format is None and not _tells_format(path):
        raise ConfigurationError(f"what is the format of {shipment.name}? Give --format")


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
