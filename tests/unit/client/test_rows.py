"""The rows that were sent are found again, each beside its error."""

import json
from pathlib import Path
from typing import Any

import pytest

from bulklane import SourceError
from bulklane._sync.body import Body
from bulklane.rows import Format, RowFinder, SentFile
from bulklane.sources import open_source, sent_rows
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter, decode
from schemas.formats.records import Unreadable
from tests.unit.client.sending import ROWS, found, sent


@pytest.mark.parametrize(
    "data",
    [
        b"phone,name\n1,Ana\n\n2,Rui\n",
        b'\r\nphone;name;\r\n1;"A;\r\na";\r\n;;\r\n2;Rui;\r\n',
        b"phone\tname\r1\tAna\r2\tRui",
        b"phone|name\n1|Ana|more\n2\n\n\n",
        '\ufeff"phone","na""me"\n"1","Ana, ""x"""\n'.encode(),
        b'phone\n""\n1\n',
    ],
)
def test_rows_have_the_indexes_that_the_service_counts(data: bytes) -> None:
    known = Columns(known=lambda name: name, names=())
    cutter = CsvCutter(known)
    plain = data.decode("utf-8-sig").encode()
    parts = [*cutter.feed(plain), *cutter.flush()]
    assert cutter.layout is not None
    counted = [item for part in parts for item in decode(part, cutter.layout)]
    body, _ = sent(data, "csv")
    assert isinstance(body.rows, SentFile)
    rows = list(body.rows.rows())
    assert len(rows) == len(counted)
    for row, item in zip(rows, counted, strict=True):
        assert isinstance(item, Unreadable) or (row["phone"] or None) == item.get("phone")


@pytest.mark.parametrize(
    ("data", "format_", "charset", "rows"),
    [
        (
            b'{"phone":"1"}\n{"phone":\n{"phone":"2"}\n',
            "ndjson",
            None,
            [{"phone": "1"}, '{"phone":', {"phone": "2"}],
        ),
        (b'[{"phone":"1"},', "json", None, []),
        ("name\nJürgen\n".encode("cp1252"), "csv", "auto", [{"name": "Jürgen"}]),
        ("name\nJürgen\n".encode(), "csv", "auto", [{"name": "Jürgen"}]),
        (b"name\nAna\n" + b"x" * 3_000_000 + b"\nBo\n", "csv", None, [{"name": "Ana"}]),
    ],
)
def test_a_row_that_cannot_be_read_hides_no_error(
    data: bytes, format_: Format, charset: str | None, rows: list[Any]
) -> None:
    body = Body(open_source(data, format_, charset), "none")
    assert b"".join(body.pieces()) == data
    assert found(body, 4) == [*rows, *[None] * (4 - len(rows))]


@pytest.mark.parametrize(
    ("encoded", "charset"),
    [
        ("utf-16-le", None),
        ("utf-16-be", "auto"),
        ("utf-16-le", "utf-16"),
        ("utf-16", None),
        ("cp1252", "cp1252"),
    ],
)
@pytest.mark.parametrize("format_", ["csv", "ndjson", "json"])
def test_rows_are_read_in_the_charset_in_which_the_service_reads_them(
    encoded: str, charset: str | None, format_: Format
) -> None:
    text = {
        "csv": "name\nJürgen\nBo\n",
        "ndjson": '{"name":"Jürgen"}\r\n \t\n{"name":"Bo"}',
        "json": '[{"name":"Jürgen"},\n{"name":"Bo"}]',
    }[format_]
    body = Body(open_source(text.encode(encoded), format_, charset), "none")
    assert b"".join(body.pieces()) == text.encode(encoded)
    assert found(body, 3) == [{"name": "Jürgen"}, {"name": "Bo"}, None]


def test_rows_of_an_earlier_job_come_from_a_path_or_a_list(tmp_path: Path) -> None:
    path = tmp_path / "contacts.json"
    path.write_text(json.dumps({"items": ROWS}))
    for given in (path, str(path), ROWS):
        assert RowFinder(sent_rows(given, None, None)).find(1) == ROWS[1]
    with pytest.raises(SourceError, match="a path or a list"):
        sent_rows(iter(ROWS), None, None)  # type: ignore[arg-type]  # what the test is about
