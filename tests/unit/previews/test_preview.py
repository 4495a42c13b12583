"""The kind and the first rows of a file, from its first bytes."""

import gzip
import json
import sys
import zlib

import pytest

from schemas.errors import BulklaneError, MalformedBody, NotAcceptable, UnsupportedFormat
from schemas.formats.content_type import Format
from schemas.formats.records import Unreadable
from schemas.operations import Operation
from schemas.previews.column_mapping import Match
from schemas.previews.file_kind import TEXT_BYTES
from schemas.previews.preview import MOST_ROWS, Preview, preview_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CSV = 'Telefon;Name\n+4915112345678;Jürgen\n+4915112345679;"Müller; Söhne"\n'
ITEMS = [{"phone": "+14155550123", "name": "Ana", "age": 3}, {"phoneNumber": "1", "colour": None}]


def look(
    head: bytes, file_name: str = "", *, operation: str = "contacts.upsert", **options: object
) -> Preview:
    options = {"whole": True, **options}
    return preview_of(head, Operation(operation), file_name=file_name, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("packed", "file_name", "encoding"),
    [
        (bytes, "a.csv", None),
        (gzip.compress, "a.csv.gz", "gzip"),
        (gzip.compress, "a.csv", "gzip"),
        (zstd.compress, "a.csv.zst", "zstd"),
        (zlib.compress, "a.csv.zz", "deflate"),
        (zlib.compress, "a", "deflate"),
        (lambda data: zlib.compress(data, wbits=-15), "a.csv.deflate", "deflate"),
        (bytes, "a.csv.gz", None),  # what a browser has unpacked
    ],
)
def test_a_compressed_file_is_read(packed: object, file_name: str, encoding: str | None) -> None:
    preview = look(packed(CSV.encode()), file_name)  # type: ignore[operator]
    assert (preview.kind.format, preview.kind.encoding) == (Format.CSV, encoding)
    assert preview.rows[1] == ("+4915112345679", "Müller; Söhne")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_columns_of_a_csv_file(delimiter: str) -> None:
    text = f"Mobile No.{delimiter}Vorname\r\n+1{delimiter}Ana\r\n"
    preview = look(text.encode())
    assert preview.delimiter == delimiter
    assert [(column.name, column.proposal.field) for column in preview.columns] == [
        ("Mobile No.", "phone"),
        ("Vorname", "name"),
    ]
    assert preview.rows == (("+1", "Ana"),)
    assert preview.is_mapped


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_recognised(codec: str) -> None:
    preview = look(CSV.encode(codec))
    assert preview.kind.content_type == "text/csv"
    assert preview.rows[0] == ("+4915112345678", "Jürgen")


def test_another_charset_is_a_guess_until_it_is_named() -> None:
    preview = look(CSV.encode("windows-1252"))
    assert (preview.kind.charset, preview.kind.guessed) == ("windows-1252", True)
    assert preview.kind.content_type == "text/csv; charset=windows-1252"
    assert preview.rows[0][1] == "Jürgen"  # type: ignore[index]
    named = look("Телефон\nЖ\n".encode("windows-1251"), charset="windows-1251")
    assert (named.kind.guessed, named.columns[0].name, named.rows) == (False, "Телефон", (("Ж",),))
    with pytest.raises(UnsupportedFormat, match="charset 'zip'"):
        look(CSV.encode(), charset="zip")


def test_a_cut_file_shows_only_its_whole_rows() -> None:
    text = CSV.encode()
    for end in range(20, len(text) - 1):  # after the header row, in characters of two bytes, too
        preview = look(text[:end], whole=False)
        assert preview.kind.charset is None
        assert len(preview.rows) == (text[:end].count(b"\n") > 1)


def test_at_most_ten_rows_are_shown_and_long_cells_are_cut() -> None:
    preview = look(b"phone,name\n" + b"+1," + b"x" * 5_000 + b"\n" + b"+2,y\n" * 50_000)
    assert len(preview.rows) == MOST_ROWS
    assert len(preview.rows[0][1]) == 201  # type: ignore[index]


def test_a_row_of_the_wrong_length_is_shown_as_what_it_is() -> None:
    (row,) = look(b"phone,name\n+1\n").rows
    assert isinstance(row, Unreadable)
    assert row.message == "The row has 1 cells, and the header row has 2."


@pytest.mark.parametrize(
    ("text", "file_name", "format_"),
    [
        (json.dumps(ITEMS), "a.json", Format.JSON),
        (json.dumps(ITEMS, indent=2), "a.csv", Format.JSON),
        (json.dumps({"items": ITEMS}), "a.json", Format.JSON),
        (json.dumps({"note": {"x": [1]}, "items": ITEMS}, indent=1), "", Format.JSON),
        ("\n".join(map(json.dumps, ITEMS)), "a.json", Format.NDJSON),
        ("\n".join(map(json.dumps, ITEMS)) + "\n", "a.txt", Format.NDJSON),
    ],
)
def test_json_is_read_whatever_its_file_is_called(text: str, file_name: str, format_: Format) -> None:
    preview = look(text.encode(), file_name)
    assert preview.kind.format is format_
    assert not preview.is_mapped
    assert preview.rows == (("+14155550123", "Ana", "3", "", ""), ("", "", "", "1", "null"))
    assert [column.proposal.reason for column in preview.columns][-2:] == [Match.EXACT, Match.UNKNOWN]


def test_a_long_array_is_shown_without_its_end() -> None:
    text = json.dumps([{"phone": "+14155550123", "name": "x" * 100}] * 5_000).encode()
    preview = look(text[:TEXT_BYTES], "a.json", whole=False)
    assert len(preview.rows) == MOST_ROWS
    one_line = json.dumps({"items": json.loads(text)}).encode()[:TEXT_BYTES]
    assert look(one_line, "a.json", whole=False).kind.format is Format.JSON


def test_bare_values_name_contacts() -> None:
    assert look(b"[7, 8]", operation="labels.attach").columns[0].proposal.field == "id"
    assert look(b'"+49"\n', "a.ndjson", operation="preferences.set").columns[0].proposal.field == "phone"


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04....xl/workbook.xml", "Excel workbook"),
        (b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument", "OpenDocument"),
        (b"PK\x03\x04....a.csv", "ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
        (b"\x89PNG\r\n", "picture"),
        (b"<!DOCTYPE html><table>", "web page"),
        (b"BZh91AY", "bzip2"),
        (gzip.compress(b"PK\x03\x04a.csv", mtime=0), "ZIP archive"),
        (bytes(range(256)) * 4, "not a text file"),
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n\r\n", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(CSV.encode(), mtime=0)[:-9], "ends too early"),
        (b'{"a": 1,\n"phones": []}', "array of items"),
        (b"[]", "No item"),
        (b'[{"phone": }]', "not valid JSON"),
        (b'phone,"name\n' + b"+1,x\n" * 20_000, "quotation mark"),
        (b",".join(b"c%d" % number for number in range(1_001)), "1001 columns"),
    ],
)
def test_what_cannot_be_read_is_explained(head: bytes, says: str) -> None:
    with pytest.raises((UnsupportedFormat, NotAcceptable, MalformedBody), match=says) as raised:
        look(head)
    assert isinstance(raised.value, BulklaneError)


def test_a_bomb_is_read_no_further_than_its_beginning() -> None:
    preview = look(gzip.compress(b"phone\n" + b"1" * 400_000_000, 1)[:200_000], whole=False)
    assert preview.rows == ()


def test_a_file_of_one_endless_line_or_quote_has_no_row_yet() -> None:
    assert look(b"phone,name\n+1," + b"x" * 250_000, whole=False).rows == ()
    assert look(b'phone,name\n+1,"' + b"x\n" * 100_000, whole=False).rows == ()
    with pytest.raises(NotAcceptable, match="does not end"):
        look(b"x" * 250_000, whole=False)
