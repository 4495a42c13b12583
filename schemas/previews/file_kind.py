"""Find out what a file is from its first bytes: compression, charset and format, as the api is to be told.

The bytes count more than the name of the file. The charset of a text that is not UTF-8 or UTF-16 cannot be
known, so it is a guess that a person must check.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import BinaryIO, Final

from schemas.errors import NotAcceptable, UnsupportedFormat
from schemas.formats.content_type import Format, charset_of, transcoder_for
from schemas.formats.encodings import Pipe, decoder_for
from schemas.formats.files.kinds import SAVE_AS_CSV, WORKBOOK_TYPE, ZIP, refuse_foreign
from schemas.formats.files.sheet import Workbook
from schemas.formats.ndjson import decode_line

TEXT_BYTES: Final = 256 * 1024  # of the decoded text that is looked at
GUESSED_CHARSET: Final = "windows-1252"  # what spreadsheets in western Europe and America write
CONTENT_TYPES: Final[Mapping[Format, str]] = {
    Format.JSON: "application/json",
    Format.NDJSON: "application/x-ndjson",
    Format.CSV: "text/csv",
}
_MAGIC: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_ZLIB: Final = (b"x\x01", b"x\x9c", b"x\xda")  # `x^` also begins a text, and few programs write it
_COMPRESSED: Final = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".deflate": "deflate", ".zz": "deflate"}
_BY_SUFFIX: Final = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".tab": Format.CSV,
    ".txt": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.JSON,
}
_WORKBOOK_STEPS: Final = 1100  # of 64 KiB of XML: all texts that a workbook may have, and the first rows
_NOT_TEXT: Final = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\v\x1a\x1b")
_MOST_NOT_TEXT: Final = 0.02  # of the bytes of a text


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """How the api is to read a file. `encoding` None: it is not compressed.

    `charset` None: UTF-8 or UTF-16, which the api tells apart. `guessed`: nobody has named the charset.
    """

    format: Format
    encoding: str | None
    charset: str | None
    guessed: bool = False
    is_workbook: bool = False  # of which the rows are CSV

    @property
    def content_type(self) -> str:
        """The value of the header Content-Type."""
        if self.is_workbook:
            return WORKBOOK_TYPE
        return CONTENT_TYPES[self.format] + (f"; charset={self.charset}" if self.charset else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The kind of a file and its first text in UTF-8. `whole`: it is all of the text."""

    kind: FileKind
    text: bytes
    whole: bool


def read_beginning(
    head: bytes, file_name: str, *, charset: str | None, whole: bool, book: BinaryIO | None = None
) -> Beginning:
    """Read the first bytes of a file. `charset` None: find it. `whole`: the bytes are all of the file.

    `book` is the whole file, if it is a workbook; None: it is in `head`, if that is whole.

    Raises UnsupportedFormat for a file that the api cannot read, or an unknown charset, MalformedBody for one
    that is damaged, and NotAcceptable for an empty one.
    """
    if head.startswith(ZIP):
        return _of_workbook(head, book or (BytesIO(head) if whole and b"xl/" in head else None))
    suffixes = [suffix.lower() for suffix in PurePath(file_name).suffixes]
    refuse_foreign(head)
    encoding = _encoding(head, suffixes)
    raw, whole = _first_bytes(decoder_for(encoding), head, whole=whole)
    if encoding:
        refuse_foreign(raw)
        if raw.startswith(ZIP):
            raise _no_workbook(raw)
    text, guessed = _decoded(raw, charset, whole=whole), False
    if not _is_text(text):
        raise UnsupportedFormat("This is not a text file. Choose a CSV, NDJSON or JSON file.")
    if charset is None and not _is_utf8(text, whole=whole):
        charset, guessed = GUESSED_CHARSET, True
        text = _decoded(raw, charset, whole=whole)
    if not text.strip():
        raise NotAcceptable("The file is empty. Choose a file with a header row or items.", code="empty")
    kind = FileKind(
        format=_format(text, suffixes, whole), encoding=encoding, charset=charset, guessed=guessed
    )
    return Beginning(kind=kind, text=text, whole=whole)


def _of_workbook(head: bytes, book: BinaryIO | None) -> Beginning:
    """Return the first rows of the first sheet as CSV. A part of a workbook cannot be read."""
    if book is None:
        raise _no_workbook(head)
    text, steps = bytearray(), 0
    for steps, piece in enumerate(Workbook(book, None).rows(), start=1):
        text += piece
        if len(text) > TEXT_BYTES or steps == _WORKBOOK_STEPS:
            break
    if not text and steps == _WORKBOOK_STEPS:
        raise _no_workbook(head)
    if not text:
        raise NotAcceptable("The first sheet of the workbook is empty.", code="empty")
    kind = FileKind(format=Format.CSV, encoding=None, charset=None, is_workbook=True)
    return Beginning(kind=kind, text=bytes(text), whole=len(text) <= TEXT_BYTES and steps < _WORKBOOK_STEPS)


def _no_workbook(head: bytes) -> UnsupportedFormat:
    """Return the error for an archive that is no workbook, or of which only the first bytes are here."""
    if b"xl/" in head or b"[Content_Types].xml" in head:
        return UnsupportedFormat(f"This Excel workbook is too large to be shown here. {SAVE_AS_CSV}")
    if b"opendocument" in head:
        return UnsupportedFormat(f"This is an OpenDocument file. {SAVE_AS_CSV}")
    return UnsupportedFormat("This is a ZIP archive. Unpack it, and choose the file in it.")


def _encoding(head: bytes, suffixes: list[str]) -> str | None:
    for magic, encoding in _MAGIC:
        if head.startswith(magic):
            return encoding
    named = _COMPRESSED.get(suffixes[-1]) if suffixes else None
    if named == "deflate" or head.startswith(_ZLIB):
        return "deflate"
    return None  # a name such as list.csv.gz of a file that is not compressed does not count


def _first_bytes(decoder: Pipe, head: bytes, *, whole: bool) -> tuple[bytes, bool]:
    """Return up to TEXT_BYTES decoded bytes, and whether they are all of the file."""
    found = bytearray()
    for piece in decoder.feed(head):
        found += piece
        if len(found) > TEXT_BYTES:
            return bytes(found[:TEXT_BYTES]), False
    if whole:
        found += b"".join(decoder.flush())
    return bytes(found), whole


def _decoded(raw: bytes, charset: str | None, *, whole: bool) -> bytes:
    """Return bytes as UTF-8, as the api would. Raises UnsupportedFormat for an unknown charset."""
    transcoder = transcoder_for(charset and charset_of(f"text/csv; charset={charset}"))
    pieces = [*transcoder.feed(raw), *(transcoder.flush() if whole or len(raw) < 4 else ())]
    return b"".join(pieces)


def _is_utf8(text: bytes, *, whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(text, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _is_text(text: bytes) -> bool:
    odd = len(text) - len(text.translate(None, _NOT_TEXT))
    return b"\0" not in text[:4096] and odd <= len(text) * _MOST_NOT_TEXT


def _format(text: bytes, suffixes: list[str], whole: bool) -> Format:
    """Return the format that the text shows; the name of the file decides where the text may be two."""
    named = next((_BY_SUFFIX[suffix] for suffix in reversed(suffixes) if suffix in _BY_SUFFIX), None)
    start = b"".join(text[:4096].split())[:2]
    if start.startswith(b"[") and (start[1:] in {b"{", b'"', b"[", b"]"} or named is not Format.CSV):
        return Format.JSON
    if start in {b'{"', b"{}"} or (start.startswith(b"{") and named is not Format.CSV):
        return Format.NDJSON if _is_lines(text, whole) else Format.JSON
    return named or Format.CSV


def _is_lines(text: bytes, whole: bool) -> bool:
    """Return whether the first line is an item by itself, and not an object with the items in it."""
    line, end, rest = text.lstrip().partition(b"\n")
    if not end and not whole:
        return False
    value = decode_line(line)
    return isinstance(value, dict) and (bool(rest.strip()) or not isinstance(value.get("items"), list))
