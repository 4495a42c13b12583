"""Charsets: UTF-8 passes unchanged, others are converted to it, and undecodable bytes stay visible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UnsupportedFormat
from schemas.formats.content_type import transcoder_for

from .feeding import CUTS, pump, pump_cut

SHEET = "phone;name\r\n+4915112345678;Jürgen 😀\r\n"


def transcode(data: bytes, charset: str | None = None, size: int = 3) -> bytes:
    return b"".join(pump(transcoder_for(charset), data, size))


@given(data=st.binary(max_size=60), cuts=CUTS)
def test_utf8_passes_byte_for_byte_even_where_it_is_invalid(data: bytes, cuts: list[int]) -> None:
    assert b"".join(pump_cut(transcoder_for("utf-8"), b"a" + data, cuts)) == b"a" + data


@pytest.mark.parametrize("charset", [None, "UTF-8", "us-ascii", "windows-1252"])
def test_a_utf8_mark_is_dropped_whatever_is_declared(charset: str | None) -> None:
    assert transcode(b"\xef\xbb\xbf" + SHEET.encode(), charset) == SHEET.encode()


@pytest.mark.parametrize("charset", [None, "utf-8", "utf-16", "UTF-16BE"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_utf16_mark_decides(codec: str, charset: str | None) -> None:
    assert transcode(("\ufeff" + SHEET).encode(codec), charset) == SHEET.encode()


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_detected_by_its_nuls(codec: str) -> None:
    assert transcode(SHEET.encode(codec)) == SHEET.encode()
    assert transcode(SHEET.encode(codec), "utf-16") == SHEET.encode()
    assert transcode(SHEET.encode(codec), codec) == SHEET.encode()


@given(text=st.text(max_size=40), cuts=CUTS)
def test_utf16_comes_out_as_utf8_however_it_is_fed(text: str, cuts: list[int]) -> None:
    data = ("\ufeff" + text).encode("utf-16-le")

    assert b"".join(pump_cut(transcoder_for(None), data, cuts)) == text.encode()


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("windows-1252", "cp1252"),
        ("ISO-8859-1", "latin-1"),
        ("latin1", "latin-1"),
        ("macintosh", "mac-roman"),
    ],
)
def test_a_declared_charset_is_honoured(charset: str, codec: str) -> None:
    assert transcode("Jürgen".encode(codec), charset) == "Jürgen".encode()


def test_a_multibyte_charset_may_be_cut_anywhere() -> None:
    assert transcode("電話,名前".encode("shift_jis"), "Shift_JIS", size=1) == "電話,名前".encode()


@pytest.mark.parametrize(
    ("data", "charset"),
    [
        (
            "\ufeffab".encode("utf-16-le") + b"\x3d\xd8" + "c".encode("utf-16-le"),
            None,
        ),  # half a surrogate pair
        ("\ufeffabc".encode("utf-16-le") + b"d", None),  # half a character at the end
        (b"abc\x81", "windows-1252"),
    ],
)
def test_undecodable_text_becomes_an_invalid_byte(data: bytes, charset: str | None) -> None:
    assert transcode(data, charset).replace(b"\xff", b"") == b"abc"
    assert transcode(data, charset).count(b"\xff") == 1


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"\xef\xbb"])
def test_bodies_too_short_for_a_mark_pass_unchanged(data: bytes) -> None:
    assert transcode(data) == data


@pytest.mark.parametrize(
    "charset", ["klingon", "zip", "unicode_escape", "utf-7", "rot13", "idna", "a\0b", "x" * 999]
)
def test_an_unknown_charset_is_refused(charset: str) -> None:
    with pytest.raises(UnsupportedFormat, match="is not supported") as caught:
        transcoder_for(charset)

    assert len(caught.value.message) < 300


def test_invalid_bytes_are_converted_in_short_steps() -> None:
    data = b"\x81" * 200_000

    pieces = list(transcoder_for("windows-1252").feed(data))

    assert b"".join(pieces) == b"\xff" * len(data)
    assert max(map(len, pieces)) <= 16 * 1024
