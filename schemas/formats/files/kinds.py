"""Recognise a file by its first bytes, whatever its name and its content type say."""

from typing import Final

from schemas.errors import UnsupportedFormat

WORKBOOK_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ZIP: Final = b"PK\x03\x04"
SAVE_AS_CSV: Final = "In the spreadsheet program, save it as .xlsx or as CSV (UTF-8), and choose that file."
_OLD_WORKBOOK: Final = "This is an old Excel workbook (.xls), or one with a password."
_FOREIGN: Final = (
    (b"%PDF", "This is a PDF file. Export the table as CSV, and choose that file."),
    (b"\xd0\xcf\x11\xe0", f"{_OLD_WORKBOOK} {SAVE_AS_CSV}"),
    (b"\x89PNG", "This is a picture. Choose a CSV, NDJSON or JSON file."),
    (b"\xff\xd8\xff", "This is a picture. Choose a CSV, NDJSON or JSON file."),
    (b"GIF8", "This is a picture. Choose a CSV, NDJSON or JSON file."),
    (b"BZh", "This file is compressed with bzip2. Unpack it, or compress it with gzip or zstd."),
    (b"\xfd7zXZ", "This file is compressed with xz. Unpack it, or compress it with gzip or zstd."),
    (b"7z\xbc\xaf", "This is a 7z archive. Unpack it, and choose the file in it."),
    (b"Rar!", "This is a RAR archive. Unpack it, and choose the file in it."),
    (b"PAR1", "This is a Parquet file. Convert it to CSV, and choose that file."),
    (b"SQLite format 3", "This is an SQLite database. Export the table as CSV, and choose that file."),
)
_COMPRESSED: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_MARKUP_BYTES: Final = 512  # before which white space may stand
_MARKUP: Final = (b"<!doctype", b"<html", b"<?xml", b"<table")


def refuse_foreign(head: bytes) -> None:
    """Raise UnsupportedFormat for the kinds of files that people choose by mistake."""
    for magic, message in _FOREIGN:
        if head.startswith(magic):
            raise UnsupportedFormat(message)
    if head[:_MARKUP_BYTES].lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(_MARKUP):
        raise UnsupportedFormat("This is a web page or an XML file. Choose a CSV, NDJSON or JSON file.")


def refuse_compressed(head: bytes) -> None:
    """Raise UnsupportedFormat for bytes that are compressed, although the request does not say so."""
    for magic, encoding in _COMPRESSED:
        if head.startswith(magic):
            raise UnsupportedFormat(
                f"The body is compressed with {encoding}. Declare it: 'Content-Encoding: {encoding}', and as "
                "Content-Type the type of the file in it.",
                code="unsupported_encoding",
                param="Content-Encoding",
            )
