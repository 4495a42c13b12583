"""A body that is not what its content type declares: the message names the likely cause and the cure."""

import json

import pytest

from schemas.errors import BulklaneError, MalformedBody
from schemas.formats.content_type import format_for
from schemas.formats.csv_header import Columns
from schemas.formats.csv_rows import CsvCutter
from schemas.formats.json_array import split_array
from schemas.formats.ndjson import NdjsonBodyCutter

from .feeding import pump

COLUMNS = Columns(known={"phone": "phone", "name": "name"}.get, names=("phone", "name"))
ITEMS = [{"phone": "+14155552671", "name": "Ana"}, {"phone": "+14155552672", "name": "Rui"}]


def refusal(cutter: NdjsonBodyCutter | CsvCutter, body: bytes) -> BulklaneError:
    with pytest.raises(BulklaneError) as caught:
        pump(cutter, body, size=50)
    return caught.value


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (json.dumps(ITEMS, indent=2), "a JSON document with line breaks"),
        (json.dumps(ITEMS[0], indent=4), "a JSON document with line breaks"),
        ("[" + ",\n".join(map(json.dumps, ITEMS)) + "]", ""),
        ("[\n" + ",\n".join(map(json.dumps, ITEMS)) + "\n]", "a JSON document with line breaks"),
        (json.dumps(ITEMS), "one JSON array"),
        ("".join(map(json.dumps, ITEMS)), "--data-binary"),
        (" ".join(map(json.dumps, ITEMS)), "--data-binary"),
    ],
)
def test_a_body_that_is_not_ndjson_is_refused_with_the_cause(body: str, words: str) -> None:
    if not words:
        pump(NdjsonBodyCutter(), body.encode(), size=50)  # its items fail: their messages say why
        return
    error = refusal(NdjsonBodyCutter(), body.encode())
    assert isinstance(error, MalformedBody)
    assert error.code == "invalid_json"
    assert words in error.message


@pytest.mark.parametrize(
    "body", ['{"phone": "+1', '{"phone": "+1\n{"phone": "+2"}', '"a"\n"b"', "x", '{"a": "}{"}']
)
def test_damaged_lines_are_data(body: str) -> None:
    assert pump(NdjsonBodyCutter(), body.encode(), size=3) == [body.encode()]


@pytest.mark.parametrize("body", ["phone,name+14155552671,Ana+14155552672,Rui", "phone,name", "phone,notes"])
def test_a_csv_file_of_one_line_is_refused_with_the_cause(body: str) -> None:
    error = refusal(CsvCutter(COLUMNS), body.encode())
    assert "--data-binary" in error.message


def test_a_long_line_is_refused_with_the_cause() -> None:
    assert "--data-binary" in refusal(CsvCutter(COLUMNS), b"phone,name" * 20_000).message
    assert "--data-binary" in refusal(NdjsonBodyCutter(part_bytes=500), b'{"phone": "1"}' * 500).message


def test_a_file_with_line_ends_is_not_suspected() -> None:
    for body in (b"phone,notes\n", b"phone,name\n"):
        assert "--data-binary" not in refusal(CsvCutter(COLUMNS), body).message


def test_an_empty_body_may_be_a_file_that_was_read_before() -> None:
    for cutter in (CsvCutter(COLUMNS), NdjsonBodyCutter()):
        error = refusal(cutter, b"")
        assert error.code == "empty"
        assert "open it again" in error.message
    assert "open it again" not in refusal(NdjsonBodyCutter(), b"\n\n").message


def test_lines_sent_as_json_and_a_form_of_curl_are_told() -> None:
    with pytest.raises(MalformedBody, match="application/x-ndjson"):
        split_array("\n".join(map(json.dumps, ITEMS)).encode(), max_items=10)
    with pytest.raises(BulklaneError, match="--data-binary"):
        format_for("application/x-www-form-urlencoded")
