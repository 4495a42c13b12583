"""Workbooks: each cell becomes the text that a person sees, and damaged or hostile files are refused."""

import io
import zipfile
from contextlib import suppress
from typing import Any

import pytest

from schemas.errors import BodyTooLarge, BulklaneError, MalformedBody, NotAcceptable, UnsupportedFormat
from schemas.formats.files import archive
from schemas.formats.files.sheet import Workbook
from tests.workbooks import AMOUNT, DATE, GERMAN_DATE, ZEROS, make_archive, make_workbook, rows_of


def read(body: bytes, sheet: str | None = None) -> list[str]:
    return b"".join(Workbook(io.BytesIO(body), sheet).rows()).decode().split("\r\n")[:-1]


def cell(attributes: str, value: str) -> str:
    """Return what a cell with this value in the XML is read as."""
    xml = f'<row><c t="inlineStr"><is><t>h</t></is></c></row><row><c {attributes}>{value}</c></row>'
    texts = ["<t>Ana</t>", "<r><t>A</t></r><r><t xml:space='preserve'>na </t></r><rPh><t>x</t></rPh>"]
    return read(make_workbook({"A": xml}, texts=texts))[1]


@pytest.mark.parametrize(
    ("attributes", "value", "shown"),
    [
        ("", "<v>919876543210</v>", "919876543210"),
        ("", "<v>9.1987654321E11</v>", "919876543210"),
        ("", "<v>919876543210.0</v>", "919876543210"),
        ("", "<v>1.23456789012346E+19</v>", "1.23456789012346e+19"),  # digits are lost: the item fails
        ("", "<v>0.30000000000000004</v>", "0.3"),
        ("", "<v>-5</v>", "-5"),
        ('t="s"', "<v>0</v>", "Ana"),
        ('t="s"', "<v>1</v>", "Ana "),
        ('t="str"', "<f>A1</f><v>x_x000D_y</v>", '"x\ry"'),
        ('t="b"', "<v>1</v>", "TRUE"),
        ('t="e"', "<v>#N/A</v>", "#N/A"),
        ('t="d"', "<v>1990-05-17T00:00:00</v>", "1990-05-17"),
        (f's="{DATE}"', "<v>33010</v>", "1990-05-17"),
        (f's="{GERMAN_DATE}"', "<v>33010.5</v>", "1990-05-17 12:00:00"),
        (f's="{DATE}"', "<v>0.25</v>", "06:00:00"),
        (f's="{DATE}"', "<v>1</v>", "1900-01-01"),
        (f's="{DATE}"', "<v>1e99</v>", "1e+99"),
        (f's="{ZEROS}"', "<v>1234</v>", "01234"),
        (f's="{AMOUNT}"', "<v>1234.5</v>", "1234.5"),
        ('s="99"', "<v>7</v>", "7"),
    ],
)
def test_a_cell_is_read_as_a_person_sees_it(attributes: str, value: str, shown: str) -> None:
    assert cell(attributes, value) == shown


def test_dates_of_old_macs_count_from_1904() -> None:
    xml = f'<row><c s="{DATE}"><v>31548</v></c></row>'
    assert read(make_workbook({"A": xml}, book='<workbookPr date1904="1"/>')) == ["1990-05-17"]


def test_empty_rows_and_cells_keep_their_places() -> None:
    xml = (
        '<row r="1"/><row r="3"><c r="A3" t="str"><v>phone</v></c><c r="C3" t="str"><v>name</v></c></row>'
        '<row r="4"><c r="A4"><v>1</v></c></row><row r="5"><c r="B5" s="1"/></row>'
        '<row r="9"><c r="C9" t="str"><v>a, b</v></c><c r="AA9"><v>2</v></c></row>'
    )
    assert read(make_workbook({"A": xml})) == ["phone,,name", "1,,", ',,"a, b",' + "," * 22 + ",2"]


def test_a_sheet_is_chosen_by_its_name() -> None:
    body = make_workbook({"First": rows_of([["a"]]), "Zweite": rows_of([["b"]])})
    assert (read(body), read(body, "zweite ")) == (["a"], ["b"])
    with pytest.raises(NotAcceptable, match="'First', 'Zweite'"):
        read(body, "Third")


def test_prefixes_of_names_do_not_matter() -> None:
    xml = (
        f'<x:worksheet xmlns:x="{"http://schemas.openxmlformats.org/spreadsheetml/2006/main"}"><x:sheetData>'
        '<x:row><x:c t="inlineStr"><x:is><x:t>phone</x:t></x:is></x:c></x:row></x:sheetData></x:worksheet>'
    )
    assert read(make_workbook({"A": ""}, more={"xl/worksheets/sheet0.xml": xml.encode()})) == ["phone"]


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"a.csv": b"phone"}, "ZIP archive"),
        ({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b""}, "OpenDocument"),
        ({"xl/workbook.bin": b""}, "xlsb"),
        ({"[Content_Types].xml": b"", "word/document.xml": b""}, "without sheets"),
    ],
)
def test_other_archives_are_refused(parts: dict[str, bytes], says: str) -> None:
    with pytest.raises(UnsupportedFormat, match=says):
        read(make_archive(parts))


BOMB = b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><worksheet>&b;</worksheet>"


@pytest.mark.parametrize(
    "sheet",
    [b"<worksheet><sheetData>", b"", b"\0", BOMB, b'<worksheet><row><c t="s"><v>7</v></c></row></worksheet>']
    + [
        f'<worksheet><row><c r="{place}"><v>1</v></c></row></worksheet>'.encode()
        for place in ("ÄÖ1", "AAAA1")
    ],
)
def test_a_damaged_sheet_is_refused(sheet: bytes) -> None:
    with pytest.raises(MalformedBody, match="damaged"):
        read(make_workbook({"A": ""}, more={"xl/worksheets/sheet0.xml": sheet}))


def test_a_file_that_is_cut_anywhere_is_refused() -> None:
    body = make_workbook({"A": rows_of([["phone"], ["+14155552671"]])})
    for size in range(4, len(body) - 1, 37):
        with pytest.raises(BulklaneError):
            read(body[:size])
    for place in range(0, len(body), 11):  # one byte is wrong: refused, or a byte that nothing reads
        with suppress(BulklaneError):
            read(body[:place] + bytes([body[place] ^ 0xFF]) + body[place + 1 :])


def test_a_cell_far_away_costs_nothing() -> None:
    xml = f'{rows_of([["phone"]])}<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with pytest.raises(NotAcceptable, match="Row 1048576 of the sheet has more than 1000 columns"):
        read(make_workbook({"A": xml}))


def test_a_part_that_unpacks_to_more_than_its_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["<t>x</t>" * 1_000] * 10_000  # 80 MB in 100 KB
    with pytest.raises(BodyTooLarge, match="sharedStrings"):
        read(make_workbook({"A": ""}, texts=texts))
    monkeypatch.setattr(archive, "_MAX_DIRECTORY_BYTES", 500)
    with pytest.raises(BodyTooLarge, match="too many files"):
        read(make_archive({f"{number}": b"" for number in range(100)}))


def test_xml_that_the_parser_would_have_to_keep_is_refused() -> None:
    def refused(sheet: str, **options: Any) -> str:
        xml = {"xl/worksheets/sheet0.xml": f"<worksheet>{sheet}".encode()}
        with pytest.raises((MalformedBody, NotAcceptable)) as caught:
            read(make_workbook({"A": ""}, more=xml | options.pop("more", {}), **options))
        return caught.value.message

    assert "elements are open" in refused("<a>" * 200)
    assert "too many names" in refused("".join(f"<a{number}/>" for number in range(20_000)))
    assert "too long" in refused(f"<!--{'x' * 2**21}-->")
    assert "too long" in refused(f"<a b='{'x' * 2**21}'/>")
    value = f"<v>{'x' * 2**19}</v>"
    assert "Row 1 of the sheet" in refused(f"<row><c t='str'>{value * 3}</c></row>")
    long = f"<c t='str'>{value}</c>"
    assert "Row 1 of the sheet" in refused(f"<row>{long * 3}</row>")
    shared = "<c t='s'><v>0</v></c>"
    half = f"<t>{'x' * 2**19}</t>"
    assert "Row 1 of the sheet" in refused(f"<row>{shared * 3}</row>", texts=[half])
    assert "rows around" in refused(f"<row>{shared}</row>" * 100, texts=[half])
    assert "A text of the workbook" in refused("", texts=[half * 3])
    assert "is no column" in refused(f"<row><c r='{'A' * 500_000}1'><v>1</v></c></row>")
    assert "document type" in refused("", more={"xl/styles.xml": BOMB})


def test_a_long_format_of_numbers_is_searched_at_once() -> None:
    format_ = f'<styleSheet><numFmts><numFmt numFmtId="164" formatCode="{"[" * 10**6}"/></numFmts><cellXfs>'
    styles = f'{format_}<xf numFmtId="164"/><xf numFmtId="²"/></cellXfs></styleSheet>'
    body = make_workbook({"A": "<row><c s='0'><v>5</v></c></row>"}, more={"xl/styles.xml": styles.encode()})
    assert read(body) == ["5"]


def test_a_part_in_an_unknown_charset_or_compression_is_refused() -> None:
    xml = b'<?xml version="1.0" encoding="x-none"?><worksheet/>'
    with pytest.raises(MalformedBody, match="x-none"):
        read(make_workbook({"A": ""}, more={"xl/worksheets/sheet0.xml": xml}))
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        body = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(make_workbook({}))) as old, zipfile.ZipFile(body, "w", method) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
        with pytest.raises(MalformedBody, match="unusual way"):
            read(body.getvalue())


def test_a_directory_of_64_bits_is_found_before_the_longest_comment() -> None:
    body = make_workbook({"A": rows_of([["phone"]])})
    end = body.rfind(b"PK\x05\x06")
    record = body[end : end + 20] + b"\xff\xff" + bytes(0xFFFF)
    assert read(body[:end] + record) == ["phone"]
    with pytest.raises(BodyTooLarge, match="too many files"):
        read(body[:end] + b"PK\x06\x07" + bytes(16) + record)


def test_an_encrypted_part_is_refused() -> None:
    body = bytearray(make_workbook({"A": ""}))
    with zipfile.ZipFile(io.BytesIO(body)) as parts:
        at = parts.getinfo("xl/workbook.xml").header_offset
    body[at + 6] |= 1
    start = body.find(b"PK\x01\x02")
    while start >= 0:
        body[start + 8] |= 1
        start = body.find(b"PK\x01\x02", start + 1)
    with pytest.raises(MalformedBody):
        read(bytes(body))


def test_rows_come_before_the_sheet_is_read_whole() -> None:
    body = make_workbook({"A": rows_of([["phone"]] * 50_000)})
    book = Workbook(io.BytesIO(body), None)
    pieces = [piece for piece in book.rows() if piece]
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 2 * archive.STEP_BYTES
