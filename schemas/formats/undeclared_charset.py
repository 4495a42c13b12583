"""Text in an unknown charset: tell a file that is not UTF-8 at all from one with a few broken rows.

Without a declared charset, a file that is not UTF-8 is refused as a whole, with the cure; else each of its
rows with an accent would fail. With `charset=auto` it is read as windows-1252, which spreadsheets in western
Europe and America write. A file with a few invalid bytes is UTF-8, and only the items that have them fail.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Final

from schemas.errors import MalformedBody
from schemas.formats.content_type import MARK_INVALID, transcoder_for
from schemas.formats.encodings import Pipe

AUTO: Final = "auto"
WESTERN: Final = "windows-1252"
_FEW: Final = 5  # lines with invalid bytes: fewer may be broken rows of a file that is UTF-8
_CLEAR: Final = 1_000  # such lines without a valid character: no need to read on
_SHARE: Final = 3  # invalid bytes for each valid character, which may be `Å”` in windows-1252
_HIGH: Final = bytes(range(0x80, 0x100))
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")
_CHARACTER: Final = re.compile(  # of UTF-8 that is not ASCII
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf4][\x80-\xbf]{3}"
)
_LINE_END: Final = re.compile(rb"[\r\n]")
_TEXT_LINE_END: Final = re.compile(r"[\r\n]")
_INVALID: Final = re.compile("[\udc80-\udcff]")  # a byte, decoded with `surrogateescape`
_INVALID_LINE: Final = re.compile("[\udc80-\udcff][^\r\n]*")  # to the end of the line
_BEGUN: Final = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")


def charset_pipes(charset: str | None) -> tuple[Pipe, ...]:
    """Return the pipes that turn a body with this `charset` parameter into UTF-8.

    Raises UnsupportedFormat for an unknown charset. The pipes raise MalformedBody(code="invalid_charset").
    """
    match charset:
        case None:
            return transcoder_for(None), Utf8Check()
        case "auto":
            return transcoder_for(None), WesternUnlessUtf8()
    return (transcoder_for(charset),)


class _Evidence:
    """Counts the valid characters that are not ASCII, the invalid bytes, and the lines with such bytes."""

    def __init__(self) -> None:
        self.valid = self.invalid = self.lines = 0
        self._counted = False  # whether this line is
        self._begun = b""  # the bytes of a character that is not whole yet

    def add(self, data: bytes, *, final: bool = False) -> None:
        """Count the characters of some bytes."""
        if not self._begun and data.isascii():
            self._counted = self._counted and _LINE_END.search(data) is None
            return
        data = self._begun + data
        begun = None if final else _BEGUN.search(data, max(0, len(data) - 3))
        self._begun = begun[0] if begun else b""
        whole = data[: begun.start()] if begun else data
        try:
            self.valid += len(whole.decode()) - len(whole.translate(None, _HIGH))
            self._counted = self._counted and _LINE_END.search(whole) is None
        except UnicodeDecodeError:
            self._add_broken(whole)

    def _add_broken(self, data: bytes) -> None:
        """Count bytes of which some are invalid. No loop over them: every byte of a long body may be."""
        invalid = len(data) - len(data.decode("utf-8", "ignore").encode())
        text = data.decode("utf-8", "surrogateescape")
        self.invalid += invalid
        self.valid += len(text) - len(data.translate(None, _HIGH)) - invalid
        first_end = _TEXT_LINE_END.search(text)
        first = _INVALID.search(text, 0, first_end.start() if first_end else len(text))
        self.lines += len(_INVALID_LINE.findall(text)) - bool(self._counted and first)
        last = _INVALID.search(text, max(text.rfind("\n"), text.rfind("\r")) + 1)
        self._counted = last is not None or (self._counted and first_end is None)


class Utf8Check:
    """Passes bytes on, and raises MalformedBody if they are clearly not UTF-8."""

    def __init__(self) -> None:
        self._evidence = _Evidence()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes."""
        self._evidence.add(data)
        if self._evidence.lines >= _CLEAR and not self._evidence.valid:
            raise self._refusal()
        yield data

    def flush(self) -> Iterator[bytes]:
        """Raise if the whole text is not UTF-8."""
        self._evidence.add(b"", final=True)
        found = self._evidence
        if found.lines >= _FEW and found.valid * _SHARE <= found.invalid:
            raise self._refusal()
        yield from ()

    def _refusal(self) -> MalformedBody:
        return MalformedBody(
            f"The body is not UTF-8: {self._evidence.lines} lines have bytes that it has not. Save it as "
            f"UTF-8, or declare its charset, as in 'Content-Type: text/csv; charset={WESTERN}'. "
            f"charset={AUTO} reads it as {WESTERN}. With charset=utf-8, only the items with such bytes fail.",
            code="invalid_charset",
            param="Content-Type",
        )


class WesternUnlessUtf8:
    """Reads text as windows-1252 if the first character that is not ASCII is not UTF-8.

    Raises MalformedBody at the end if the other characters contradict the first one.
    """

    def __init__(self) -> None:
        self._head = b""  # ends with a character that is not whole yet
        self._decoder: codecs.IncrementalDecoder | None = None
        self._decided = False
        self._evidence = _Evidence()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes as UTF-8."""
        self._evidence.add(data)
        yield from self._read(data, final=False)

    def flush(self) -> Iterator[bytes]:
        """Yield the rest. Raises MalformedBody if the text is neither of the two charsets."""
        yield from self._read(b"", final=True)
        self._evidence.add(b"", final=True)
        if self._decoder is not None and self._evidence.valid * _SHARE > self._evidence.invalid:
            raise MalformedBody(
                f"The charset of the body is not clear: some characters are UTF-8, others are {WESTERN}. "
                "Declare it, as in 'Content-Type: text/csv; charset=utf-8': the items of the others fail.",
                code="invalid_charset",
                param="Content-Type",
            )

    def _read(self, data: bytes, *, final: bool) -> Iterator[bytes]:
        if not self._decided:
            data = self._decide(self._head + data, final=final)
        if self._decoder is not None:
            data = self._decoder.decode(data).encode("utf-8", "surrogateescape")
        if data:
            yield data

    def _decide(self, data: bytes, *, final: bool) -> bytes:
        """Choose the charset at the first character that is not ASCII; return the bytes that can be read."""
        self._head = b""
        found = _NOT_ASCII.search(data)
        if found is None:
            return data
        if not final and _BEGUN.fullmatch(data, found.start()):
            self._head = data[found.start() :]
            return data[: found.start()]
        self._decided = True
        if _CHARACTER.match(data, found.start()) is None:
            self._decoder = codecs.getincrementaldecoder(WESTERN)(MARK_INVALID)
        return data
