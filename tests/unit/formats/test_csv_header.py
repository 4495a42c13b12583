"""The header row: every column is known and occurs once, or the error names it."""

from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.errors import MalformedBody, NotAcceptable
from schemas.formats import csv_rows
from schemas.formats.csv_header import HEADER_BYTES, Columns, Header, UnknownColumns, find_header
from schemas.formats.csv_layout import CsvLayout
from schemas.formats.csv_rows import CsvCutter

from .feeding import pump

FIELDS = {
    "error_code": "",
    "phone": "phone",
    "phone_number": "phone",
    "name": "name",
    "first_name": "name",
    "email": "email",
}
NAMES = ("phone", "name", "email")


def layout(
    body: bytes, renames: dict[str, str] | None = None, unknown: UnknownColumns = "refuse"
) -> CsvLayout:
    cutter = CsvCutter(Columns(known=FIELDS.get, names=NAMES, renames=renames or {}, unknown=unknown))
    pump(cutter, body + b"1\n")
    assert cutter.layout is not None
    return cutter.layout


def refusal(
    body: bytes, renames: dict[str, str] | None = None, unknown: UnknownColumns = "refuse"
) -> NotAcceptable:
    with pytest.raises(NotAcceptable) as caught:
        layout(body, renames, unknown)
    return caught.value


@pytest.mark.parametrize(
    "header", [b"Phone Number,NAME", b" phone-number , Name ", b'"Phone\nNumber","name"']
)
def test_names_are_cleaned_before_they_are_matched(header: bytes) -> None:
    assert layout(header + b"\n").columns == ("phone", "name")


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        (b"phone;name", ";"),
        (b"phone\tname", "\t"),
        (b"phone|name", "|"),
        (b'"phone";"na,me,"', ";"),
        (b"phone", ","),
        (b'"na,me\n,;";phone', ";"),
    ],
)
def test_the_delimiter_is_the_one_outside_quotes(header: bytes, delimiter: str) -> None:
    renames = {"na,me,": "name", "na,me\n,;": "name"}
    columns = Columns(
        known=FIELDS.get, names=NAMES, renames={k: v for k, v in renames.items() if k.encode() in header}
    )
    cutter = CsvCutter(columns)

    pump(cutter, header + b"\n1\n", size=1)

    assert cutter.layout is not None
    assert cutter.layout.delimiter == delimiter


def test_a_column_can_be_renamed_by_its_own_or_its_cleaned_name() -> None:
    assert layout(b"Telefon Nr.;Vorname\n", {"Telefon Nr.": "phone", "vorname": "name"}).columns == (
        "phone",
        "name",
    )


def test_renaming_to_nothing_leaves_a_column_out() -> None:
    assert layout(b"phone,notes\n", {"notes": ""}).columns == ("phone", "")


def test_every_unknown_column_is_named_with_the_known_ones() -> None:
    error = refusal(b"phone,colour,shoe size\n")

    assert error.code == "unknown_columns"
    assert [problem.param for problem in error.problems] == ["colour", "shoe size"]
    assert all("phone, name, email" in problem.message for problem in error.problems)
    for cure in (
        "map.colour=field",
        "map.colour=,",
        "unknown_columns=ignore",
        "unknown_columns=keep",
        "unknown_columns=refuse",
    ):
        assert cure in error.message


def test_unknown_columns_can_be_left_out() -> None:
    found = layout(b"phone,Shoe size,error_code,,name\n", unknown="ignore")
    assert found.columns == ("phone", "", "", "", "name")
    assert found.whole().columns == ("phone", "Shoe size", "", "column 4", "name")
    assert CsvLayout.from_dict(found.to_dict()) == found
    assert layout(b"phone,x\n", {"x": ""}).whole().columns == ("phone", "x")
    assert layout(b"phone,email\n", {"email": ""}).whole().columns == ("phone", "email")
    # it would be taken for the other column
    named = layout(b"phone,x,Name\n", {"x": "name", "Name": ""})
    assert named.whole().columns == ("phone", "name", "Name (left out)")
    # such a file, sent back, has the same fields
    again = layout(b"phone,Name (left out),name\n", unknown="ignore")
    assert again.columns == ("phone", "", "name")


def test_columns_that_are_left_out_have_different_names() -> None:
    found = layout(b"phone,x,x,x 2,\n", unknown="ignore")
    assert found.whole().columns == ("phone", "x", "x 2", "x 2 2")
    same = layout(b"phone" + b",x" * 999 + b"\n", unknown="ignore").left_out
    assert len(set(same)) == 1000


def test_a_mistake_is_no_unknown_column() -> None:
    misspelt = refusal(b"phone,x\n", {"x": "emial"}, "ignore")
    assert (misspelt.code, misspelt.problems[0].param) == ("unknown_columns", "x")
    assert "'emial', to which map.x maps a column, is not a known column" in misspelt.message
    assert refusal(b"phone,x\n", {"y": ""}, "ignore").problems[0].param == "map.y"
    assert "must be a header row" in refusal(b"+4915112345678,Jane\n", unknown="ignore").message


def test_a_rename_to_an_unknown_field_is_refused() -> None:
    assert refusal(b"phone,x\n", {"x": "colour"}).problems[0].param == "x"


def test_a_rename_of_a_column_that_is_not_there_is_refused() -> None:
    error = refusal(b"phone\n", {"Nmae": "name"})

    assert [problem.param for problem in error.problems] == ["map.Nmae"]


def test_two_columns_for_one_field_are_refused() -> None:
    error = refusal(b"phone,Phone Number,name\n")

    assert error.code == "duplicate_column"
    assert "'phone', 'Phone Number'" in error.message


def test_columns_left_out_may_be_many() -> None:
    assert layout(b"phone,x,y\n", {"x": "", "y": ""}).columns == ("phone", "", "")


def test_all_problems_are_reported_at_once() -> None:
    error = refusal(b"phone,phone,x\n", {"y": "name"})

    assert [problem.code for problem in error.problems] == [
        "unknown_columns",
        "unknown_columns",
        "duplicate_column",
    ]


def test_a_first_row_of_data_is_refused_with_a_hint_at_the_header() -> None:
    error = refusal(b"+4915112345678,Jane\n+4915112345679,Joe\n")

    assert "must be a header row" in error.message
    assert error.code == "unknown_columns"


def test_a_nameless_column_between_others_is_refused() -> None:
    assert "Column 2, which has no name" in refusal(b"phone,,name\n").message


def test_thousands_of_unknown_columns_give_a_short_message() -> None:
    error = refusal(b"phone," + b",".join(b"x%d" % number for number in range(900)) + b"\n")

    assert len(error.problems) == 20
    assert "899 more problems" in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize("separator", [b",", b",\x20"])
def test_too_many_columns_are_refused_at_once(separator: bytes) -> None:
    error = refusal(separator.join([b"name"] * 10_000) + b"\n")

    assert (error.code, error.problems) == ("too_many_columns", ())


def test_separators_after_the_last_column_are_no_columns() -> None:
    cutter = CsvCutter(Columns(known=FIELDS.get, names=NAMES))

    assert pump(cutter, b"phone,name" + b"," * 10_000 + b"\n1,2\n", 1000) == [b"1,2\n"]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_header_that_grows_by_a_byte_is_searched_a_few_times(
    monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    searched = []

    def find(head: bytes, *, final: bool) -> Header | None:
        searched.append(len(head))
        return find_header(head, final=final)

    monkeypatch.setattr(csv_rows, "find_header", find)
    cutter = CsvCutter(Columns(known=FIELDS.get, names=NAMES))

    with pytest.raises(NotAcceptable, match="does not end within"):
        pump(cutter, b'"' + (b"x" + end) * HEADER_BYTES, size=1 + len(end))

    assert sum(searched) < 10 * HEADER_BYTES


@pytest.mark.parametrize("body", [b"", b"\n\r\n", b"\r"])
def test_an_empty_file_is_refused(body: bytes) -> None:
    with pytest.raises(NotAcceptable) as caught:
        pump(CsvCutter(Columns(known=FIELDS.get, names=NAMES)), body)

    assert caught.value.code == "empty"


def test_a_first_row_without_names_is_refused() -> None:
    assert refusal(b" , ,\n").code == "empty"


@pytest.mark.parametrize("filler", [b"\n", b"x", b'"', b"x,"])
def test_a_header_without_an_end_is_refused_early(filler: bytes) -> None:
    cutter = CsvCutter(Columns(known=FIELDS.get, names=NAMES))

    with pytest.raises(NotAcceptable) as caught:
        list(chain.from_iterable(cutter.feed(filler * 1000) for _ in range(100)))

    assert caught.value.code in {"empty", "record_too_large"}


def test_a_header_that_is_not_utf8_is_refused_with_a_hint_at_the_charset() -> None:
    with pytest.raises(MalformedBody, match="charset=windows-1252"):
        layout("phone,größe\n".encode("cp1252"))


@given(
    head=st.lists(st.sampled_from([b"a", b",", b";", b'"', b"\n", b"\r", b"\r\n", b" "]), max_size=25).map(
        b"".join
    ),
    length=st.integers(min_value=0, max_value=30),
)
@example(head=b'a"b,c\n;d";e;f;g\n', length=7)  # a stray quote, and more semicolons after the first 7 bytes
def test_the_header_is_the_same_however_much_of_the_body_has_arrived(head: bytes, length: int) -> None:
    body = head + b"x" * HEADER_BYTES

    early = find_header(body[:length], final=False)

    if early is not None:
        assert early == find_header(body, final=False)
