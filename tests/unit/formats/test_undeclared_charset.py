"""A body without a declared charset, or with charset=auto: UTF-8, windows-1252, or a clear refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import MalformedBody
from schemas.formats.encodings import Pipeline
from schemas.formats.undeclared_charset import charset_pipes

from .feeding import CUTS, pump, pump_cut

ROWS = "phone,name\n+4915112345678,Jürgen\n+33123456789,Zoë Crème\n+4530123456,Søren “Å”\n"
ACCENTS = "äöüßéèñåøæçÄÖÜÉ"


def read(body: bytes, charset: str | None = None, size: int = 5) -> str:
    return b"".join(pump(Pipeline(*charset_pipes(charset)), body, size)).decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_auto_reads_what_programs_write(codec: str) -> None:
    assert read(ROWS.encode(codec), "auto") == ROWS
    assert read(b"phone\n+14155552671\n", "AUTO".lower()) == "phone\n+14155552671\n"


@pytest.mark.parametrize("codec", ["cp1252", "cp1250", "mac-roman", "cp850"])
def test_a_file_that_is_not_utf8_is_refused_as_a_whole_with_the_cure(codec: str) -> None:
    body = "phone,name\n+4915112345678,Jürgen\n".encode(codec) + "1,Müller\n2,Göß\n".encode(codec) * 2
    with pytest.raises(MalformedBody, match="charset=windows-1252") as refused:
        read(body)
    assert refused.value.code == "invalid_charset"


def test_a_long_file_is_refused_before_its_end() -> None:
    pipe = Pipeline(*charset_pipes(None))
    with pytest.raises(MalformedBody):
        list(pipe.feed("ü\n".encode("cp1252") * 2_000))


def test_a_few_broken_rows_are_data() -> None:
    assert read(b"a\xfcb\xfc") == "a\udcfcb\udcfc"
    body = b"a\n" + b"\xfc" * 100_000 + b"\nb"
    assert read(body, size=1_000).encode("utf-8", "surrogateescape") == body  # one row
    body = ROWS.encode() * 3 + b"\xfc\xe4\xf6\xff"
    assert read(body).encode("utf-8", "surrogateescape") == body


def test_declared_utf8_is_not_checked() -> None:
    body = "Jürgen\n".encode("cp1252") * 100
    assert read(body, "utf-8").encode("utf-8", "surrogateescape") == body


def test_auto_refuses_a_mixed_file_rather_than_guess() -> None:
    western, utf8 = ROWS.encode("cp1252"), ROWS.encode()
    with pytest.raises(MalformedBody, match="not clear"):
        read(western + utf8, "auto")
    assert "\udcfc" in read(utf8 + western, "auto")  # UTF-8 with rows that fail


def test_a_byte_that_windows_1252_lacks_stays_invalid() -> None:
    assert read("Jürgen".encode("cp1252") + b"\x81", "auto") == "Jürgen\udcff"


@given(text=st.text(alphabet=f"ab,\n{ACCENTS}€🙂", max_size=40), cuts=CUTS)
def test_utf8_passes_however_it_is_cut(text: str, cuts: list[int]) -> None:
    for charset in (None, "auto"):
        assert b"".join(pump_cut(Pipeline(*charset_pipes(charset)), text.encode(), cuts)) == text.encode()


@given(text=st.text(alphabet=f"ab,\n{ACCENTS}", max_size=40), cuts=CUTS)
def test_western_text_is_read_however_it_is_cut(text: str, cuts: list[int]) -> None:
    """An accent before a letter is never UTF-8, so no text of this alphabet is ambiguous."""
    written = "".join(f"{letter}x" for letter in text)
    read_ = b"".join(pump_cut(Pipeline(*charset_pipes("auto")), written.encode("cp1252"), cuts))
    assert read_ == written.encode()
