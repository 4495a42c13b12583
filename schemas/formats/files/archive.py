"""Open an Excel workbook (.xlsx, .xlsm): a ZIP archive of XML parts, each read as a stream with a limit."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from posixpath import join, normpath
from typing import BinaryIO, Final
from xml.parsers import expat
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from schemas.errors import BodyTooLarge, MalformedBody, NotAcceptable, UnsupportedFormat
from schemas.formats.files.kinds import SAVE_AS_CSV

STEP_BYTES: Final = 64 * 1024  # of XML, parsed without a pause
MAX_SHEET_BYTES: Final = 1024**3  # of the XML of a sheet: a million rows of ten columns have half of it
MAX_PART_BYTES: Final = 64 * 1024**2  # of any other part, for example of the texts of all cells
_MAX_SMALL_BYTES: Final = 16 * 1024**2  # of a part that is read at once, such as the styles
# What the parser keeps in memory for itself: open elements, different names, a tag that has not ended.
_MAX_DEPTH: Final = 100
_MAX_NAMES: Final = 10_000
_MAX_TAG_BYTES: Final = 1024**2
_METHODS: Final = frozenset({ZIP_STORED, ZIP_DEFLATED})  # the others unpack without a limit
_MAX_DIRECTORY_BYTES: Final = 1024**2  # a workbook has some dozen parts
_LOCATOR: Final = b"PK\x06\x07"  # of a directory of 64 bits, right before the end
_LOCATOR_BYTES: Final = 20
_END: Final = struct.Struct("<4s4H2LH")
_MAX_COMMENT: Final = 0xFFFF
_SHOWN: Final = 10  # sheets to name in a message
_SHOWN_NAME: Final = 100  # characters; Excel allows 31


# LookupError: a part is missing, or in an unknown charset; RuntimeError: it is encrypted
_DAMAGE: Final = (
    BadZipFile,
    RuntimeError,
    EOFError,
    LookupError,
    OSError,
    ValueError,
    expat.ExpatError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook: its name, and the path of its XML in the archive."""

    name: str
    path: str


class Archive:
    """The parts of a workbook. `dates_from_1904`: its dates count from 1904, as old Macs did."""

    def __init__(self, file: BinaryIO) -> None:
        """Open a complete file. Raises UnsupportedFormat, MalformedBody."""
        _check_directory(file)
        try:
            self._zip = ZipFile(file)
        except (BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError) as error:
            raise damaged(str(error)) from error
        self._names = set(self._zip.namelist())
        _check_kind(self._names)
        self.dates_from_1904 = False
        self.sheets = self._read_sheets()

    def choose(self, name: str | None) -> Sheet:
        """Return the sheet with this name, in any case; None: the first. Raises NotAcceptable."""
        for sheet in self.sheets:
            if name is None or sheet.name.strip().casefold() == name.strip().casefold():
                return sheet
        names = ", ".join(repr(sheet.name[:_SHOWN_NAME]) for sheet in self.sheets[:_SHOWN]) or "none"
        raise NotAcceptable(f"The workbook has no sheet {name!r}. Its sheets are {names}.", param="sheet")

    def has(self, path: str) -> bool:
        """Return whether the archive has a part."""
        return path in self._names

    def steps(
        self, path: str, parser: expat.XMLParserType, most: int = MAX_PART_BYTES, step: int = STEP_BYTES
    ) -> Iterator[None]:
        """Feed a part to a parser, `step` bytes at a time. Raises MalformedBody, BodyTooLarge."""
        parser.StartDoctypeDeclHandler = _refuse_doctype
        size = reached = 0
        try:
            if self._zip.getinfo(path).compress_type not in _METHODS:
                raise damaged(f"{path!r} is compressed in an unusual way")
            with self._zip.open(path) as part:
                while data := part.read(step):
                    size += len(data)
                    if size > most:
                        raise BodyTooLarge(
                            f"The part {path!r} of the workbook has more than {most} bytes. {SAVE_AS_CSV}"
                        )
                    parser.Parse(data, False)
                    reached = max(reached, parser.CurrentByteIndex)
                    if size - reached > _MAX_TAG_BYTES or len(parser.intern) > _MAX_NAMES:
                        raise damaged(f"the tags of {path!r} are too long, or have too many names")
                    yield
                parser.Parse(b"", True)
        except _DAMAGE as error:
            raise damaged(str(error)) from error

    def read(self, path: str, start: Callable[[str, dict[str, str]], None]) -> None:
        """Read a small part; `start` gets each element: its name without a prefix, and its attributes."""
        parser = expat.ParserCreate()
        follow(parser, lambda name, attributes: start(name.rpartition(":")[2], attributes), lambda _: None)
        for _ in self.steps(path, parser, _MAX_SMALL_BYTES):
            pass

    def _read_sheets(self) -> list[Sheet]:
        book = "xl/workbook.xml"
        targets: dict[str, str] = {}
        found: list[tuple[str, str]] = []

        def relation(name: str, attributes: dict[str, str]) -> None:
            if name == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
                targets[attributes.get("Id", "")] = attributes.get("Target", "")

        def sheet(name: str, attributes: dict[str, str]) -> None:
            if name == "workbookPr":
                self.dates_from_1904 = attributes.get("date1904") in {"1", "true"}
            if name == "sheet":
                id_ = next((value for key, value in attributes.items() if key.endswith(":id")), "")
                found.append((attributes.get("name", ""), id_))

        self.read("xl/_rels/workbook.xml.rels", relation)
        self.read(book, sheet)
        return [Sheet(name, _absolute(targets[id_])) for name, id_ in found if id_ in targets]  # no charts


def follow(
    parser: expat.XMLParserType, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]
) -> None:
    """Have a parser call `start` and `end` for each element; it raises MalformedBody for deep ones."""
    depth = 0

    def open_element(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise damaged(f"more than {_MAX_DEPTH} elements are open")
        start(name, attributes)

    def close_element(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name)

    parser.StartElementHandler, parser.EndElementHandler = open_element, close_element


def damaged(reason: str) -> MalformedBody:
    """Return the error for a workbook that cannot be read."""
    return MalformedBody(f"The Excel workbook is damaged ({reason[:200]}). Save it again, or save it as CSV.")


def _absolute(target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))


def _check_directory(file: BinaryIO) -> None:
    """Check the end of the archive: `ZipFile` makes an object for each of its entries."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _MAX_COMMENT - _END.size - _LOCATOR_BYTES))
    tail = file.read()
    start = tail.rfind(b"PK\x05\x06")
    if start < 0 or len(tail) - start < _END.size:
        raise damaged("its end is missing: send the whole file")
    directory = _END.unpack_from(tail, start)[5]
    if directory > _MAX_DIRECTORY_BYTES or tail[max(0, start - _LOCATOR_BYTES) :].startswith(_LOCATOR):
        raise BodyTooLarge(f"The archive has too many files in it. {SAVE_AS_CSV}")
    file.seek(0)


def _check_kind(names: set[str]) -> None:
    """Raise UnsupportedFormat for an archive that is no workbook."""
    if "xl/workbook.xml" in names:
        return
    if "xl/workbook.bin" in names:
        raise UnsupportedFormat(f"This is a binary Excel workbook (.xlsb). {SAVE_AS_CSV}")
    if "content.xml" in names and "mimetype" in names:
        raise UnsupportedFormat(f"This is an OpenDocument file. {SAVE_AS_CSV}")
    if "[Content_Types].xml" in names:
        raise UnsupportedFormat("This is an Office document without sheets. Choose a workbook or a CSV file.")
    raise UnsupportedFormat("This is a ZIP archive. Unpack it, and choose the file in it.")


def _refuse_doctype(*_: object) -> None:
    raise damaged("its XML declares a document type")
