"""What can be submitted: a path, an open file, bytes, rows from anywhere, a data frame."""

import os
import stat
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, cast

from bulklane.compression import SUFFIXES, Compression
from bulklane.encode import CsvRows, Encoder, NdjsonRows, Raw
from bulklane.errors import SourceError
from bulklane.rows import Format, SentFile, SentRows
from bulklane.spool import PIECE_BYTES


class Readable(Protocol):
    """A file that is open to be read, as bytes or as text."""

    def read(self, size: int, /) -> bytes | str:
        """Return at most `size` bytes or characters; nothing at the end."""


# The data frames of pandas and polars are iterables, too; neither library is imported.
Submittable: TypeAlias = str | os.PathLike[str] | bytes | Readable | Iterable[Any] | AsyncIterable[Any]
Rows: TypeAlias = str | os.PathLike[str] | Sequence[Any]  # that a job has sent

MEDIA: dict[Format, str] = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Items, and how they become bytes.

    `compression` is what the bytes already have; None: they may be compressed. `file` can be sent again from
    its path; the bytes of every other source are spooled. `rows` has the rows where they are in memory.
    """

    items: Callable[[], Iterable[Any] | AsyncIterable[Any]]
    encoder: Encoder
    format: Format
    charset: str | None = None
    compression: Compression | None = None
    file: SentFile | None = None
    file_name: str | None = None
    rows: Sequence[Any] | None = None

    @property
    def content_type(self) -> str:
        """The value of Content-Type."""
        return MEDIA[self.format] + (f"; charset={self.charset}" if self.charset else "")


def open_source(given: Submittable, format_: Format | None, charset: str | None) -> Source:
    """Return the source of what was given to `submit`. Raises SourceError; nothing is read yet."""
    match given:
        case str() | os.PathLike():
            return _from_path(given, format_, charset)
        case bytes() | bytearray() | memoryview():
            return _from_file(BytesIO(given), format_, charset)
        case Mapping():
            raise SourceError("a single row was given: put it into a list")
    if callable(getattr(given, "read", None)):
        return _from_file(given, format_, charset)
    if any(callable(getattr(given, name, None)) for name in ("itertuples", "iter_rows", "collect_schema")):
        return _from_frame(given)
    if not isinstance(given, Iterable | AsyncIterable):
        raise SourceError(
            f"{type(given).__name__} cannot be sent: give a path, an open file, rows, or a data frame"
        )
    if format_ is not None:
        return Source(items=lambda: given, encoder=Raw(charset), format=format_, charset=charset)
    rows = given if isinstance(given, Sequence) else None
    return Source(items=lambda: given, encoder=NdjsonRows(), format="ndjson", rows=rows)


def sent_rows(given: Rows, format_: Format | None, charset: str | None) -> SentRows:
    """Return the rows of a path or a list, for the results of an earlier job. Raises SourceError."""
    if isinstance(given, str | os.PathLike):
        file = _from_path(given, format_, charset).file
        if file is None:
            raise SourceError(f"{given} is no file that can be read again")
        return file
    if isinstance(given, Sequence):
        return given
    raise SourceError(f"rows= takes a path or a list, and not {type(given).__name__}")


def _from_path(given: str | os.PathLike[str], format_: Format | None, charset: str | None) -> Source:
    if isinstance(given, str) and ("\n" in given or not given):
        raise SourceError("a text is taken as a path: give the content of a file as bytes, with format=")
    path = Path(given)
    format_ = format_ or _format_of(path.name)
    compression = SUFFIXES.get(path.suffix.lower(), "none")
    status = path.stat()
    is_file = stat.S_ISREG(status.st_mode)  # a pipe can be read once
    opened: Callable[[], BinaryIO] = (
        partial(_open_unchanged, path, (status.st_size, status.st_mtime_ns))
        if is_file
        else lambda: path.open("rb")
    )
    sent = SentFile(open=opened, format=format_, compression=compression, charset=charset)
    return Source(
        items=lambda: _pieces(opened(), close=True),
        encoder=Raw(charset),
        format=format_,
        charset=charset,
        compression=None if compression == "none" else compression,
        file=sent if is_file else None,
        file_name=path.name,
    )


def _from_file(file: Any, format_: Format | None, charset: str | None) -> Source:
    name = getattr(file, "name", None)
    # a file that was opened by its number has an int as its name
    file_name = os.path.basename(name) if isinstance(name, str) and name != "<stdin>" else None
    suffix = Path(file_name or "").suffix.lower()
    return Source(
        items=lambda: _unread(file),
        encoder=Raw(charset),
        format=format_ or _format_of(file_name),
        charset=charset,
        # a gzip file that was opened with gzip.open has the same name, but its bytes are plain
        compression=SUFFIXES.get(suffix) if type(file).__module__ in {"io", "_io"} else None,
        file_name=file_name,
    )


def _from_frame(frame: Any) -> Source:
    if callable(getattr(frame, "itertuples", None)):  # pandas; its index is left out
        rows = partial(frame.itertuples, index=False, name=None)
    elif callable(getattr(frame, "iter_rows", None)):  # polars
        rows = frame.iter_rows
    else:
        raise SourceError("a lazy frame was given: call collect() first")
    return Source(items=rows, encoder=CsvRows(list(frame.columns)), format="csv")


def _format_of(name: str | None) -> Format:
    """Return the format by the suffix of a name. Raises SourceError."""
    suffixes = [suffix.lower() for suffix in Path(name or "").suffixes]
    if suffixes and suffixes[-1] in SUFFIXES:
        suffixes.pop()
    if suffixes and suffixes[-1] in FORMATS:
        return FORMATS[suffixes[-1]]
    what = f"the suffix of {name!r} says nothing of it" if name else "the file has no name"
    raise SourceError(f"what is the format? {what}: give format='csv', 'ndjson', 'json' or 'xlsx'")


def _open_unchanged(path: Path, then: tuple[int, int]) -> BinaryIO:
    """Open a file again. Raises SourceError if it is no longer what it was."""
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise SourceError(f"{path} is gone: its rows cannot be read again") from error
    status = os.fstat(file.fileno())
    if (status.st_size, status.st_mtime_ns) != then:
        file.close()
        raise SourceError(f"{path} has changed since it was sent: submit it again")
    return file


def _pieces(file: BinaryIO, *, close: bool = False) -> Iterator[Any]:
    try:
        while piece := file.read(PIECE_BYTES):
            yield piece
        if piece is None:  # and not at its end
            raise SourceError("the file has nothing to read at this moment: open it in blocking mode")
    finally:
        if close:
            file.close()


def _unread(file: Any) -> Iterator[Any]:
    """Yield the pieces of an open file. Raises SourceError if it was read to its end before."""
    empty = True
    for piece in _pieces(cast("BinaryIO", file)):
        empty = False
        yield piece
    seekable = getattr(file, "seekable", None)  # a pipe is not, and an object with `read` alone says nothing
    if empty and seekable is not None and seekable() and file.tell():
        raise SourceError(f"the file was read before, it stands at its end ({file.tell()}): call seek(0)")
