"""Read a sheet of a workbook as CSV, row by row, in bounded memory.

The first row that is not empty is the header row; its width is that of the table. Empty rows are left out.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from schemas.errors import NotAcceptable
from schemas.formats.csv_header import MAX_COLUMNS
from schemas.formats.files.archive import MAX_SHEET_BYTES, STEP_BYTES, Archive, damaged, follow
from schemas.formats.files.cell_text import (
    Show,
    Texts,
    read_styles,
    read_texts,
    show_iso_date,
    show_number,
    too_long,
    unescaped,
)
from schemas.formats.records import MAX_RECORD_BYTES

_DIGITS: Final = "0123456789"
_MAX_WAITING: Final = 8 * MAX_RECORD_BYTES  # characters; a hundred rows with the longest texts of Excel
_PARSE_BYTES: Final = 4 * 1024  # of the sheet: many short cells may refer to the same long text


class Workbook:
    """A workbook in a complete file. `sheet` None: its first sheet. `held`: the bytes of it in memory."""

    def __init__(self, file: BinaryIO, sheet: str | None) -> None:
        self._file = file
        self._sheet = sheet
        self._texts = Texts()

    @property
    def held(self) -> int:
        """The bytes of it in memory."""
        return self._texts.size

    def rows(self) -> Iterator[bytes]:
        """Yield the rows as CSV in UTF-8, in pieces that may be empty, so that the caller can pause.

        Raises UnsupportedFormat, MalformedBody, BodyTooLarge, NotAcceptable.
        """
        archive = Archive(self._file)
        sheet = archive.choose(self._sheet)
        for _ in read_texts(archive, self._texts):
            yield b""
        reader = _SheetReader(self._texts, read_styles(archive))
        steps = archive.steps(sheet.path, reader.parser, MAX_SHEET_BYTES, _PARSE_BYTES)
        for count, _ in enumerate(steps, start=1):
            if reader.waiting >= STEP_BYTES or count % (STEP_BYTES // _PARSE_BYTES) == 0:
                yield reader.take()
        yield reader.take()


class _SheetReader:
    """Collects the rows of a sheet as they are parsed."""

    def __init__(self, texts: Texts, styles: Sequence[Show]) -> None:
        self._texts = texts
        self._styles = styles
        self._out = io.StringIO(newline="")
        self._writer = csv.writer(self._out)
        self._row: list[str] = []
        self._width = 0  # of the header row
        self._line = 0  # of this row in the sheet
        self._column = 0  # of this cell
        self._type = ""
        self._show: Show = show_number
        self._text: list[str] | None = None  # of a value that is being read
        self._value = ""
        self._length = 0  # of the texts of this row
        self._phonetic = False
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._root
        self.parser.CharacterDataHandler = self._data

    @property
    def waiting(self) -> int:
        """The characters of the rows since the last `take`."""
        return self._out.tell()

    def take(self) -> bytes:
        """Return the rows since the last call."""
        text = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return text.encode("utf-8", "replace")

    def _root(self, name: str, _: Any) -> None:
        """Prepare the names of the elements, which may have the prefix of the root."""
        prefix = name.removesuffix("worksheet")
        starts: dict[str, Callable[[dict[str, str]], None]] = {
            "row": self._start_row,
            "c": self._start_cell,
            "v": self._start_value,
            "t": self._start_value,
            "rPh": self._start_phonetic,
        }
        ends = {"row": self._end_row, "c": self._end_cell, "v": self._end_value, "t": self._end_value}
        ends["rPh"] = self._end_phonetic
        starting = {prefix + key: value for key, value in starts.items()}
        ending = {prefix + key: value for key, value in ends.items()}

        def start(name: str, attributes: dict[str, str]) -> None:
            if handler := starting.get(name):
                handler(attributes)

        def end(name: str) -> None:
            if ending_handler := ending.get(name):
                ending_handler()

        follow(self.parser, start, end)

    def _start_row(self, attributes: dict[str, str]) -> None:
        line = attributes.get("r", "")
        self._line = int(line) if line.isdigit() else self._line + 1
        self._row, self._column, self._length = [], 0, 0

    def _start_cell(self, attributes: dict[str, str]) -> None:
        place = attributes.get("r")
        self._column = _column_of(place.rstrip(_DIGITS)) if place else self._column + 1
        self._type = attributes.get("t", "n")
        style = attributes.get("s", "0")
        known = style.isdigit() and int(style) < len(self._styles)
        self._show = self._styles[int(style)] if known else show_number
        self._value = ""

    def _start_value(self, _: dict[str, str]) -> None:
        self._text = None if self._phonetic else []

    def _start_phonetic(self, _: dict[str, str]) -> None:
        self._phonetic = True

    def _end_phonetic(self) -> None:
        self._phonetic = False

    def _data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)
            self._count(text)

    def _count(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_RECORD_BYTES:
            raise too_long(f"Row {self._line} of the sheet")

    def _end_value(self) -> None:
        if self._text is not None:
            self._value += "".join(self._text)
            self._text = None

    def _end_cell(self) -> None:
        shown = self._shown()
        if not shown:
            return
        if self._type == "s":
            self._count(shown)
        if self._column > MAX_COLUMNS:
            raise NotAcceptable(
                f"Row {self._line} of the sheet has more than {MAX_COLUMNS} columns. Remove the others.",
                code="too_many_columns",
            )
        self._row.extend([""] * (self._column - len(self._row)))
        self._row[self._column - 1] = shown

    def _shown(self) -> str:
        value = self._value
        match self._type:
            case "s":
                try:
                    return self._texts[int(value)] if value else ""
                except (IndexError, ValueError) as error:
                    raise damaged(f"row {self._line} refers to a text that is missing") from error
            case "n":
                return self._show(value) if value else ""
            case "b":
                return {"1": "TRUE", "0": "FALSE"}.get(value, value)
            case "d":
                return show_iso_date(value)
        return unescaped(value)  # texts of formulas, inline texts, errors such as #N/A

    def _end_row(self) -> None:
        if not self._row:
            return
        self._width = self._width or len(self._row)
        self._row.extend([""] * (self._width - len(self._row)))
        self._writer.writerow(self._row)
        self._row = []
        if self.waiting > _MAX_WAITING:
            raise too_long(f"The text of rows around {self._line}")


@lru_cache(maxsize=4096)
def _column_of(letters: str) -> int:
    """Return the number of a column, from 1: `A` is 1, `AA` is 27. Raises MalformedBody."""
    if not (letters.isascii() and letters.isalpha() and letters.isupper() and len(letters) <= 3):
        raise damaged(f"{letters[:20]!r} is no column")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column
