"""Read a Content-Type header: the format of a body, and its charset, which is transcoded to UTF-8.

Bytes that are invalid in their charset do not fail the upload. They stay invalid in UTF-8, and only the item
that contains them fails.
"""

import codecs
import re
from collections.abc import Iterator
from email.message import Message
from enum import StrEnum
from typing import Final

from schemas.errors import UnsupportedFormat


class Format(StrEnum):
    """The formats of a body."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


_FORMATS: Final = {
    "application/json": Format.JSON,
    "text/json": Format.JSON,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
    "application/x-jsonl": Format.NDJSON,
    "application/jsonlines": Format.NDJSON,
    "application/x-jsonlines": Format.NDJSON,
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
    "text/tab-separated-values": Format.CSV,
}
_JSON_SUFFIX: Final = re.compile(r"application/[a-z0-9.+-]+\+json")
_KNOWN: Final = "application/json, application/x-ndjson and text/csv"


def format_for(content_type: str | None) -> Format:
    """Return the format that a Content-Type header declares. Raises UnsupportedFormat."""
    if not content_type or not content_type.strip():
        raise UnsupportedFormat(
            f"The request has no Content-Type. Declare one of {_KNOWN}.", param="Content-Type"
        )
    essence = content_type.partition(";")[0].strip().lower()
    if essence in _FORMATS:
        return _FORMATS[essence]
    if essence == "application/x-www-form-urlencoded":
        raise UnsupportedFormat(
            f"The content type {essence!r} is what `curl -d` declares, which also removes line ends. Use "
            f"--data-binary @FILE and -H 'Content-Type: …' with one of {_KNOWN}.",
            param="Content-Type",
        )
    if _JSON_SUFFIX.fullmatch(essence):
        return Format.JSON
    raise UnsupportedFormat(
        f"The content type {essence[:100]!r} is not supported. Use one of {_KNOWN}.", param="Content-Type"
    )


def charset_of(content_type: str | None) -> str | None:
    """Return the `charset` parameter of a Content-Type header in lower case; None if it has none."""
    header = Message()
    header["Content-Type"] = " ".join((content_type or "").split())  # a line break would end the header
    return header.get_content_charset()


_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_STEP_BYTES: Final = 16 * 1024  # of one step: each invalid byte costs a call of `_mark_invalid`
_HEAD_BYTES: Final = 4  # two characters of UTF-16: enough to tell whether there is a byte-order mark
_AS_IS: Final = frozenset({"utf-8", "utf-8-sig", "ascii"})
_CODECS: Final = (
    _AS_IS
    | {"utf-16", "utf-16-le", "utf-16-be", "mac-roman", "koi8-r", "koi8-u", "tis-620"}
    | {"iso8859-1", *(f"iso8859-{number}" for number in range(2, 17) if number != 12)}
    | {f"cp{number}" for number in (437, 850, 852, 866, 874, 932, 949, 950, *range(1250, 1259))}
    | {"shift_jis", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "big5"}
)
MARK_INVALID: Final = "schemas.formats.invalid"  # codec error handlers are global to the process, by name


def _mark_invalid(error: UnicodeError) -> tuple[str, int]:
    """Replace undecodable bytes by a character that `surrogateescape` encodes as 0xFF, invalid in UTF-8."""
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error(MARK_INVALID, _mark_invalid)


def transcoder_for(charset: str | None) -> "Transcoder":
    """Return the transcoder for a `charset` parameter; None: UTF-8, or UTF-16 if the bytes show it.

    Raises UnsupportedFormat for an unknown charset.
    """
    return Transcoder(_codec_for(charset) if charset else None)


class Transcoder:
    """Transcodes a known charset to UTF-8. A byte-order mark overrides the declared charset."""

    def __init__(self, codec: str | None) -> None:
        self._codec = codec
        self._head: bytes | None = b""  # None as soon as the charset is settled
        self._decoder: codecs.IncrementalDecoder | None = None  # None passes bytes through

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Transcode some bytes."""
        if self._head is not None:
            self._head += data
            if len(self._head) < _HEAD_BYTES:
                return
            data = self._settle(self._head)
        yield from self._convert(data)

    def flush(self) -> Iterator[bytes]:
        """Yield the rest; half a character becomes an invalid byte."""
        data = self._settle(self._head) if self._head is not None else b""
        yield from self._convert(data)
        if self._decoder is not None and (rest := self._decoder.decode(b"", final=True)):
            yield rest.encode("utf-8", "surrogateescape")

    def _settle(self, head: bytes) -> bytes:
        """Choose the codec; return the bytes after the byte-order mark."""
        self._head = None
        bom, codec = next((pair for pair in _BOMS if head.startswith(pair[0])), (b"", None))
        codec = codec or _guess(head, self._codec)
        if codec not in _AS_IS:
            self._decoder = codecs.getincrementaldecoder(codec)(MARK_INVALID)
        return head[len(bom) :]

    def _convert(self, data: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            yield from (data,) if data else ()
            return
        for start in range(0, len(data), _STEP_BYTES):
            text = self._decoder.decode(data[start : start + _STEP_BYTES])
            if text:
                yield text.encode("utf-8", "surrogateescape")


def _guess(head: bytes, declared: str | None) -> str:
    """Return the codec of bytes without a byte-order mark: UTF-16 has a NUL in the first characters."""
    if declared not in {None, "utf-16"}:
        return str(declared)
    match [byte == 0 for byte in head[:_HEAD_BYTES]]:
        case [False, True, False, True]:
            return "utf-16-le"
        case [True, False, True, False]:
            return "utf-16-be"
    return "utf-8" if declared is None else "utf-16-le"  # WHATWG reads a bare `utf-16` as UTF-16LE


def _codec_for(charset: str) -> str:
    try:
        codec = codecs.lookup(charset).name
    except (LookupError, ValueError):
        codec = ""
    if codec in _CODECS:  # a list, because Python also has codecs such as `zip` and `unicode_escape`
        return codec
    raise UnsupportedFormat(
        f"The charset {charset[:100]!r} is not supported. Send UTF-8 or UTF-16, or declare windows-1252 "
        "or another common charset.",
        code="unsupported_charset",
        param="Content-Type",
    )
