"""The text of a cell of a workbook, as a person sees it: dates in ISO 8601, numbers with all their digits."""

import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from xml.parsers import expat

from schemas.errors import NotAcceptable
from schemas.formats.files.archive import Archive, follow
from schemas.formats.records import MAX_RECORD_BYTES

Show = Callable[[str], str]  # from the text of a number in the XML to what a person sees

_STRINGS: Final = "xl/sharedStrings.xml"
_STYLES: Final = "xl/styles.xml"
# ECMA-376, 18.8.30: the formats that have no code in the file
_DATE_IDS: Final = frozenset(map(str, (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59))))
_MAX_CODE: Final = 255  # characters of a format, as in Excel: a long one could take hours to be searched
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_ELAPSED: Final = re.compile(r"\[[hms]+\]", re.IGNORECASE)
_DATE_LETTER: Final = re.compile(r"[ymdhs]", re.IGNORECASE)
_ZEROS: Final = re.compile(r"0{2,30}")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LARGEST_EXACT: Final = 10**15  # Excel keeps 15 digits
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - cells have no time zone
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_FALSE_LEAP_DAY: Final = 60  # Excel has a 29 February 1900; the days before it are one less


class Texts:
    """The texts that the cells of a workbook share, kept as bytes: a million strings are large objects."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")

    @property
    def size(self) -> int:
        """The bytes in memory."""
        return len(self._bytes) + len(self._ends) * self._ends.itemsize

    def add(self, text: str) -> None:
        """Add the next text."""
        self._bytes += text.encode("utf-8", "replace")
        self._ends.append(len(self._bytes))

    def __getitem__(self, index: int) -> str:
        """Return a text. Raises IndexError."""
        if index < 0:
            raise IndexError(index)
        start = self._ends[index - 1] if index else 0
        return self._bytes[start : self._ends[index]].decode()


def read_texts(archive: Archive, texts: Texts) -> Iterator[None]:
    """Read the shared texts of a workbook, one step at a time. Raises what `Archive.steps` raises."""
    if archive.has(_STRINGS):
        yield from archive.steps(_STRINGS, _TextsReader(texts).parser)


def too_long(what: str) -> NotAcceptable:
    """Return the error for a text or rows that would be too long as CSV."""
    message = f"{what} has too many characters: a row may have {MAX_RECORD_BYTES}. Shorten the long cells."
    return NotAcceptable(message, code="record_too_large")


class _TextsReader:
    """Adds each shared text as it is parsed, without its phonetic hints."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._pieces: list[str] = []
        self._length = 0  # of this text
        self._reads = self._phonetic = False
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.CharacterDataHandler = self._data
        follow(self.parser, self._start, self._end)

    def _start(self, name: str, _: Any) -> None:
        match name.rpartition(":")[2]:
            case "si":
                self._pieces.clear()
                self._length = 0
            case "t":
                self._reads = not self._phonetic
            case "rPh":
                self._phonetic = True

    def _end(self, name: str) -> None:
        match name.rpartition(":")[2]:
            case "si":
                self._texts.add(unescaped("".join(self._pieces)))
            case "t":
                self._reads = False
            case "rPh":
                self._phonetic = False

    def _data(self, text: str) -> None:
        if self._reads:
            self._pieces.append(text)
            self._length += len(text)
            if self._length > MAX_RECORD_BYTES:
                raise too_long("A text of the workbook")


def read_styles(archive: Archive) -> Sequence[Show]:
    """Return how the numbers of each style are shown. Raises what `Archive.steps` raises."""
    codes: dict[str, str] = {}
    ids: list[str] = []
    inside = False

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal inside
        if name == "numFmt":
            codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")[:_MAX_CODE]
        if name in {"cellXfs", "cellStyleXfs", "cellStyles", "dxfs"}:
            inside = name == "cellXfs"
        if name == "xf" and inside:
            ids.append(attributes.get("numFmtId", "0"))

    if archive.has(_STYLES):
        archive.read(_STYLES, start)
    epoch = _EPOCH_1904 if archive.dates_from_1904 else _EPOCH
    shows = {id_: _show_for(id_, codes.get(id_), epoch) for id_ in set(ids)}
    return [shows[id_] for id_ in ids]


def _show_for(id_: str, code: str | None, epoch: datetime) -> Show:
    if code is None:
        return (lambda text: show_date(text, epoch)) if id_ in _DATE_IDS else show_number
    first = code.partition(";")[0]
    plain = _LITERAL.sub("", first)
    if _ZEROS.fullmatch(plain):
        return lambda text: _padded(show_number(text), len(plain))
    if _DATE_LETTER.search(plain) and not _ELAPSED.search(first) and "general" not in plain.lower():
        return lambda text: show_date(text, epoch)
    return show_number


def show_number(text: str) -> str:
    """Return a number without an exponent or a fraction of zeros, as far as its digits are kept."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    if value.is_integer() and abs(value) < _LARGEST_EXACT:
        return str(int(value))
    return f"{value:.15g}"


def _padded(text: str, width: int) -> str:
    return text.zfill(width) if text.isdigit() else text


def show_date(text: str, epoch: datetime) -> str:
    """Return `1990-05-17`, `1990-05-17 12:30:00`, or for less than a day `12:30:00`."""
    try:
        days = float(text)
        if epoch == _EPOCH and 1 <= days < _FALSE_LEAP_DAY:
            days += 1
        moment = epoch + timedelta(seconds=round(days * 86_400))
    except (ValueError, OverflowError):
        return show_number(text)
    if 0 <= days < 1:
        return moment.strftime("%H:%M:%S")
    is_day = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return moment.date().isoformat() if is_day else moment.isoformat(" ")


def show_iso_date(text: str) -> str:
    """Return a date that a cell has as ISO 8601, without the time of midnight."""
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat(" ")
    return text


def unescaped(text: str) -> str:
    """Return a text with the characters that `_x000D_` and the like stand for."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).replace("\0", "")
