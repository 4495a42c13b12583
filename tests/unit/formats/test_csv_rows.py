"""CSV: record boundaries and cells are exactly those of Python's `csv.reader`."""

import csv
import io
import json
from itertools import chain, pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from schemas.errors import NotAcceptable
from schemas.formats.content_type import transcoder_for
from schemas.formats.csv_header import Columns
from schemas.formats.csv_layout import CsvLayout
from schemas.formats.csv_rows import CsvCutter, CsvItem, _RowCutter, decode, spans
from schemas.formats.encodings import Pipeline, decoder_for
from schemas.formats.records import ENCODING_CURE, MAX_RECORD_BYTES, Span, Unreadable
from schemas.item_errors import ItemCode

from .feeding import CUTS, pump, pump_cut

NAMES = ("a", "b", "c")
COLUMNS = Columns(known=lambda name: name if name in NAMES else None, names=NAMES)
LAYOUT = CsvLayout(delimiter=",", columns=NAMES)
DELIMITER = st.sampled_from([",", ";", "\t", "|"])

# Every byte that has a meaning in CSV, and some that are invalid text.
HOSTILE = st.lists(
    st.sampled_from(
        [b",", b";", b'"', b'""', b"\n", b"\r", b"\r\n", b"a", b" ", b"\0", b"\xff", b"\xc3\xa9", b"\xe2"]
    )
    | st.sampled_from([b"x,y,z\n", b'"q\n,""r",', b"\x0b", b"\x1c", "\u2028".encode(), "\x85".encode()]),
    max_size=40,
).map(b"".join)


def reader_rows(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """Return the rows that Python reads from a file opened with newline="": the oracle."""
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    return [row for row in csv.reader(text, delimiter=delimiter) if row]


def cut(body: bytes, columns: Columns = COLUMNS, size: int = 7) -> tuple[list[bytes], CsvLayout]:
    cutter = CsvCutter(columns)
    parts = pump(cutter, body, size)
    assert cutter.layout is not None
    return parts, cutter.layout


def read(body: bytes, columns: Columns = COLUMNS) -> list[CsvItem]:
    """Cut a whole file into parts, and decode them in runs of two items."""
    parts, layout = cut(body, columns)
    return [
        item
        for part in parts
        for span in spans(part, 2, layout)
        for item in decode(part[span.start : span.end], layout)
    ]


@given(part=HOSTILE, limit=st.integers(min_value=1, max_value=4), delimiter=DELIMITER)
@example(part=b'a"b\n"c\n', limit=1, delimiter=",")
@example(part=b'"a"b"c,"d\n', limit=1, delimiter=",")
@example(part=b'"""', limit=1, delimiter=",")
def test_spans_hold_the_records_that_the_csv_module_reads(part: bytes, limit: int, delimiter: str) -> None:
    layout = CsvLayout(delimiter=delimiter, columns=NAMES)

    found = list(spans(part, limit, layout))

    runs = [part[span.start : span.end] for span in found]
    assert [row for run in runs for row in reader_rows(run, delimiter)] == reader_rows(part, delimiter)
    assert [len(decode(run, layout)) for run in runs] == [span.items for span in found]
    assert all(span.items == limit for span in found[:-1])
    assert [span.end for span in found[:-1]] == [span.start for span in found[1:]]


@given(run=HOSTILE, width=st.integers(min_value=1, max_value=3))
def test_items_are_the_rows_that_the_csv_module_reads(run: bytes, width: int) -> None:
    layout = CsvLayout(delimiter=",", columns=NAMES[:width])

    for item, row in zip(decode(run, layout), reader_rows(run), strict=True):
        if isinstance(item, dict):
            assert item == {name: cell for name, cell in zip(NAMES, row, strict=False) if cell}
            assert len(row) == width or not any(row[width:])
        elif item.code is ItemCode.ROW_LENGTH:
            assert len(row) != width
        else:
            assert item.code is ItemCode.INVALID_ENCODING
            assert any("\udc80" <= letter <= "\udcff" for letter in "".join(row))


@given(
    data=st.lists(HOSTILE.map(lambda data: data[:25]), max_size=8).map(b"\n".join),
    cuts=CUTS,
    part_bytes=st.integers(min_value=8, max_value=60),
    delimiter=DELIMITER,
)
@example(data=b'\n\r\n,,,,"', cuts=[], part_bytes=8, delimiter=",")
def test_parts_joined_are_the_rows_and_no_record_is_split(
    data: bytes, cuts: list[int], part_bytes: int, delimiter: str
) -> None:
    mark = delimiter.encode()
    body = b"a" + mark + b"b" + mark + b"c\r\n" + data + b"\nz"
    longest = max(_record_sizes(data + b"\nz", delimiter))
    assume(longest != part_bytes + 1)  # accepted with LF, refused with CRLF
    if longest > part_bytes:
        with pytest.raises(NotAcceptable, match="more than"):
            pump_cut(CsvCutter(COLUMNS, part_bytes=part_bytes), body, cuts)
        return

    parts = pump_cut(CsvCutter(COLUMNS, part_bytes=part_bytes), body, cuts)

    # blank lines may be left out
    assert b"".join(parts).translate(None, b"\r\n") == (data + b"\nz").translate(None, b"\r\n")
    assert parts == pump(CsvCutter(COLUMNS, part_bytes=part_bytes), body, size=1)
    assert max(map(len, parts)) <= part_bytes + 2
    assert [row for part in parts for row in reader_rows(part, delimiter)] == reader_rows(
        data + b"\nz", delimiter
    )


@given(
    rows=st.lists(
        st.lists(st.text('ab,;"\n\r\té \U0001f600\x0b\u2028', max_size=6), min_size=3, max_size=3), min_size=1
    ),
    delimiter=DELIMITER,
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    cuts=CUTS,
)
def test_output_of_the_csv_module_is_read_back(
    *, rows: list[list[str]], delimiter: str, line_end: str, quoting: int, codec: str, cuts: list[int]
) -> None:
    text = io.StringIO(newline="")
    if {"\r", "\n"} & set("".join(chain.from_iterable(rows))):
        quoting = csv.QUOTE_ALL  # the csv module does not quote a line end other than its own
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([NAMES, *rows])
    cutter = CsvCutter(COLUMNS, part_bytes=200)

    parts = pump_cut(
        Pipeline(decoder_for(None), transcoder_for(None), cutter), text.getvalue().encode(codec), cuts
    )

    assert cutter.layout == CsvLayout(delimiter=delimiter, columns=NAMES)
    items = [item for part in parts for item in decode(part, cutter.layout)]
    assert items == [{name: cell for name, cell in zip(NAMES, row, strict=True) if cell} for row in rows]


@pytest.mark.parametrize(
    "body",
    [
        b"a,b,c\n1,2,3\n4,5,6\n",
        b"a,b,c\r\n1,2,3\r\n4,5,6\r\n",
        b"a,b,c\r1,2,3\r4,5,6\r",
        b"a,b,c\n1,2,3\n4,5,6",
        b"\n\na,b,c\n\n1,2,3\n\r\n\n4,5,6\n\n",
        b"a;b;c\n1;2;3\n4;5;6\n",
        b"a\tb\tc\n1\t2\t3\n4\t5\t6\n",
        b"a|b|c\n1|2|3\n4|5|6\n",
        b'"a","b","c"\n"1","2","3"\n"4","5","6"\n',
        b"a,b,c,,\n1,2,3,,\n4,5,6\n",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_common_csv_variants_are_read_alike(body: bytes, size: int) -> None:
    parts, layout = cut(body, size=size)

    assert [item for part in parts for item in decode(part, layout)] == [
        {"a": "1", "b": "2", "c": "3"},
        {"a": "4", "b": "5", "c": "6"},
    ]


def test_a_quoted_line_break_across_two_feeds_stays_in_its_cell() -> None:
    cutter = CsvCutter(COLUMNS, part_bytes=12)
    feeds = [b'a,b,c\n1,"x\n', b'y",3\n4,5,"6\r', b'\n"\n7,8,9\n']

    parts = [part for data in feeds for part in cutter.feed(data)] + list(cutter.flush())

    assert parts == [b'1,"x\ny",3\n', b'4,5,"6\r\n"\n', b"7,8,9\n"]


def test_a_row_of_separators_is_a_record_without_fields() -> None:
    assert read(b"a,b,c\n,,\n1,2,3\n") == [{}, {"a": "1", "b": "2", "c": "3"}]
    assert list(spans(b",,\n\n1,2,3\n", 1, LAYOUT)) == [Span(0, 3, 1), Span(3, 10, 1)]


def test_a_row_of_the_wrong_length_fails_alone() -> None:
    assert read(b'a,b,c\n1,2\n1,"2",3,4\n1,2,3\n') == [
        Unreadable("1,2", ItemCode.ROW_LENGTH, "The row has 2 cells, and the header row has 3."),
        Unreadable('1,"2",3,4', ItemCode.ROW_LENGTH, "The row has 4 cells, and the header row has 3."),
        {"a": "1", "b": "2", "c": "3"},
    ]


def test_a_row_that_is_not_utf8_fails_alone() -> None:
    assert read("a,b,c\n1,é,3\n4,ü,6\n".encode("latin-1").replace(b"\xe9", "é".encode())) == [
        {"a": "1", "b": "é", "c": "3"},
        Unreadable("4,\\xfc,6", ItemCode.INVALID_ENCODING, f"The row is not UTF-8.{ENCODING_CURE}"),
    ]


def test_a_column_that_is_left_out_gives_no_field() -> None:
    columns = Columns(known={"a": "a", "error_code": "", "error_message": ""}.get, names=["a"])

    assert read(b"error_code,a,error_message\nx,1,y\n,2,\n", columns) == [{"a": "1"}, {"a": "2"}]


def test_a_cell_may_be_as_long_as_a_record() -> None:
    cell = b"x" * (MAX_RECORD_BYTES - 10)

    parts, layout = cut(b'a,b,c\n1,"' + cell + b'",3\n4,5,6\n', size=100_000)

    items = [item for part in parts for item in decode(part, layout)]
    assert items == [{"a": "1", "b": cell.decode(), "c": "3"}, {"a": "4", "b": "5", "c": "6"}]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("row", [b"1,2,3", b'1,"2",3'])
def test_a_part_ends_after_a_whole_line_end(line_end: bytes, row: bytes) -> None:
    for part_bytes in range(20, 40):
        parts = pump(CsvCutter(COLUMNS, part_bytes=part_bytes), b"a,b,c" + line_end + (row + line_end) * 50)

        assert len(parts) > 5
        assert {part[: len(row)] for part in parts} == {row}
        assert {part[-len(row + line_end) :] for part in parts} == {row + line_end}


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_quote_that_never_closes_is_refused_with_its_line(line_end: bytes) -> None:
    body = (b'a,b,c\n1,2,3\n4,"5\n6",7\n8,"9,10\n' + b"1,2,3\n" * 100).replace(b"\n", line_end)

    with pytest.raises(NotAcceptable, match=r"starts in line 5 .* may never be closed") as caught:
        pump(CsvCutter(COLUMNS, part_bytes=50), body)

    assert (caught.value.code, caught.value.param) == ("record_too_large", "line 5")


@pytest.mark.parametrize("body", [b"a,b,c", b"a,b,c\n", b"a,b,c\r\n\r\n\n"])
def test_a_header_without_rows_is_refused(body: bytes) -> None:
    with pytest.raises(NotAcceptable, match="no records") as caught:
        pump(CsvCutter(COLUMNS), body)

    assert caught.value.code == "empty"


def test_a_layout_is_restored_from_json() -> None:
    layout = CsvLayout(delimiter="\t", columns=("phone", "", "name"))

    assert CsvLayout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout


def test_the_grammar_takes_linear_time_and_no_recursion() -> None:
    for part in (b'"' * 1_000_000, b'"a,' * 300_000, b'a"' * 500_000, b'"",' * 300_000, b'"\n' * 500_000):
        assert sum(span.items for span in spans(part, 1000, LAYOUT)) == len(reader_rows(part))


def _record_sizes(data: bytes, delimiter: str) -> list[int]:
    """Return the size of each record without its line end, computed from the line numbers of csv.reader."""
    lines = data.splitlines(keepends=True)
    reader = csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""), delimiter=delimiter)
    ends = [0, *(reader.line_num for _ in reader)]
    return [len(b"".join(lines[start:end]).rstrip(b"\r\n")) for start, end in pairwise(ends)]


@given(data=HOSTILE, part_bytes=st.integers(min_value=60, max_value=100))
def test_the_records_of_the_parts_are_counted(data: bytes, part_bytes: int) -> None:
    cutter = _RowCutter(",", part_bytes=part_bytes, max_items=10_000, first_line=1)
    try:
        parts = pump(cutter, data + b"\nz")
    except NotAcceptable:
        return

    assert cutter.items == len(reader_rows(data + b"\nz"))
    assert all(reader_rows(part) for part in parts)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_blank_lines_of_a_file_are_not_yielded(line_end: bytes) -> None:
    parts = pump(CsvCutter(COLUMNS, part_bytes=1000), b"a,b,c\n" + line_end * 50_000 + b'"1",2,3', size=5000)

    assert len(parts) == 1
