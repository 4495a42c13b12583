"""Content types: the format and the charset that they name."""

import pytest

from schemas.errors import UnsupportedFormat
from schemas.formats.content_type import Format, charset_of, format_for


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", Format.JSON),
        ("Application/JSON; charset=utf-8", Format.JSON),
        ("application/vnd.api+json", Format.JSON),
        ("application/x-ndjson", Format.NDJSON),
        ("application/jsonl", Format.NDJSON),
        ("application/ndjson ; x=y", Format.NDJSON),
        ("text/csv;header=present", Format.CSV),
        ("application/csv", Format.CSV),
        ("text/tab-separated-values", Format.CSV),
    ],
)
def test_a_known_content_type_has_its_format(content_type: str, expected: Format) -> None:
    assert format_for(content_type) is expected


@pytest.mark.parametrize("content_type", ["text/plain", "json", "application/xml", "image/svg+xml", "+json"])
def test_an_unknown_content_type_is_refused_with_the_known_ones(content_type: str) -> None:
    with pytest.raises(UnsupportedFormat, match="application/json, application/x-ndjson and text/csv"):
        format_for(content_type)


@pytest.mark.parametrize("content_type", [None, "", "  "])
def test_a_missing_content_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(UnsupportedFormat, match="no Content-Type"):
        format_for(content_type)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/csv; charset=UTF-16LE", "utf-16le"),
        ('text/csv; header=present; charset="windows-1252"', "windows-1252"),
        ("text/csv", None),
        ("text/csv; charset=a\r\nX-Evil: 1", "a x-evil: 1"),
        (None, None),
    ],
)
def test_the_charset_is_read_from_the_parameters(content_type: str | None, expected: str | None) -> None:
    assert charset_of(content_type) == expected
