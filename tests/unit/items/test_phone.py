"""Phones: which texts are normalised, to what, and which code and message the others get."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.item_errors import ItemCode
from schemas.items import phone_patterns
from schemas.items.phone import is_region, normalise, normaliser_for
from schemas.items.phone_notation import MAX_TEXT, PhoneFault


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("+919876543210", None, "+919876543210"),
        ("+91 98765-43210", None, "+919876543210"),
        ("  +91 98765 43210\n", None, "+919876543210"),
        ("9876543210", "IN", "+919876543210"),
        ("098765 43210", "IN", "+919876543210"),
        ("919876543210", "IN", "+919876543210"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("1-415-555-2671", "US", "+14155552671"),
        ("011 91 98765 43210", "US", "+919876543210"),
        ("00 91 98765 43210", "DE", "+919876543210"),
        ("+44 (0) 7911 123456", None, "+447911123456"),
        ("06 1234 5678", "IT", "+390612345678"),
        ("tel:+1-415-555-2671", None, "+14155552671"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        (
            "+\uff19\uff11 \uff19\uff18\uff17\uff16\uff15 \uff14\uff13\uff12\uff11\uff10",
            None,
            "+919876543210",
        ),
        ("+919876543210", "US", "+919876543210"),
        ("+919876543210", "no region at all", "+919876543210"),
        ("+80012345678", None, "+80012345678"),
    ],
)
def test_a_valid_number_becomes_e164(text: str, region: str | None, expected: str) -> None:
    assert normalise(text, region) == expected
    assert normaliser_for(region)(text) == expected


@pytest.mark.parametrize(
    ("text", "region", "code"),
    [
        ("", None, ItemCode.PHONE_NOT_A_NUMBER),
        (" ", "US", ItemCode.PHONE_NOT_A_NUMBER),
        ("+", "US", ItemCode.PHONE_NOT_A_NUMBER),
        ("call me", "US", ItemCode.PHONE_NOT_A_NUMBER),
        ("+1 415 555 2671, +1 415 555 2672", None, ItemCode.PHONE_AMBIGUOUS),
        ("098765" + "\u00a0" * 9 + "43210", "IN", ItemCode.PHONE_NOT_A_NUMBER),
        ("5", "US", ItemCode.PHONE_TOO_SHORT),
        ("+12", None, ItemCode.PHONE_TOO_SHORT),
        ("+1 415 555", None, ItemCode.PHONE_TOO_SHORT),
        ("555-2671", "US", ItemCode.PHONE_TOO_SHORT),
        ("011 1", "US", ItemCode.PHONE_TOO_SHORT),
        ("+1 415 555 2671 12", None, ItemCode.PHONE_TOO_LONG),
        ("+91" + "9" * 30, None, ItemCode.PHONE_TOO_LONG),
        ("9" * (MAX_TEXT + 1), "IN", ItemCode.PHONE_TOO_LONG),
        ("9" * 100_000, None, ItemCode.PHONE_TOO_LONG),
        ("+999 123 456 789", None, ItemCode.PHONE_UNKNOWN_COUNTRY_CODE),
        ("+0 98765 43210", "IN", ItemCode.PHONE_UNKNOWN_COUNTRY_CODE),
        ("00 999 123456789", "DE", ItemCode.PHONE_UNKNOWN_COUNTRY_CODE),
        ("9876543210", None, ItemCode.PHONE_UNKNOWN_COUNTRY_CODE),
        ("9876543210", "in", ItemCode.PHONE_UNKNOWN_COUNTRY_CODE),
        ("+1 555 555 5555", None, ItemCode.PHONE_INVALID_FOR_REGION),
        ("5555555555", "IN", ItemCode.PHONE_INVALID_FOR_REGION),
    ],
)
def test_an_invalid_number_gets_its_code(text: str, region: str | None, code: ItemCode) -> None:
    fault = normalise(text, region)
    assert isinstance(fault, PhoneFault)
    assert fault.code is code
    assert fault.message.endswith(".")


def test_the_fault_of_a_number_without_country_code_says_what_to_do() -> None:
    fault = normalise("9876543210", None)
    assert isinstance(fault, PhoneFault)
    assert "put + and the code in front, or set a default region" in fault.message


def test_a_fault_names_the_default_region_only_where_it_was_used() -> None:
    used, unused = normalise("5555555555", "IN"), normalise("+91 5555555555", "US")
    assert isinstance(used, PhoneFault)
    assert isinstance(unused, PhoneFault)
    assert "+91 (default region IN)" in used.message
    assert "region" not in unused.message


def test_regions_are_iso_codes_in_upper_case() -> None:
    assert all(map(is_region, ["IN", "US", "GB", "XK"]))
    assert not any(map(is_region, ["in", "UK", "001", "ZZ", ""]))


@given(text=st.text(max_size=80) | st.text(alphabet="+0123456789 -().x;=,/#~", max_size=80))
def test_no_text_raises(text: str) -> None:
    for region in (None, "US", "AR"):
        result = normalise(text, region)
        assert isinstance(result, PhoneFault) or result.startswith("+")


@given(text=st.from_regex(r"\+[1-9]\d{5,14}", fullmatch=True))
def test_normalising_is_idempotent(text: str) -> None:
    once = normalise(text, None)
    if isinstance(once, str):
        assert normalise(once, "US") == once


@pytest.mark.parametrize(
    "text",
    [
        "1 " * 50 + " " * 147 + "--   ;o",  # phonenumbers needs 300 ms
        "111111111111(11111111" + " " * 21 + "," * 19 + ";ex",
        "1" * 62 + ";e",
        "12" + " -" * 30,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    normalise("9876543210", "US")  # compiles the patterns
    started = time.thread_time()
    for _ in range(10):
        normalise(text, "US")
    assert (time.thread_time() - started) / 10 < 0.02  # seconds; 0.001 was measured


def test_unusual_texts_do_not_grow_the_cache() -> None:
    normalise("+14155552671", None)
    before = len(phone_patterns._INTERNATIONAL)
    for at in range(1_000):
        normalise(f"+1{chr(0x4E00 + at)}4155552671", None)
    assert len(phone_patterns._INTERNATIONAL) == before


def test_a_pattern_with_unknown_syntax_is_left_to_phonenumbers() -> None:
    with pytest.raises(phone_patterns._UnsafeSyntaxError):
        phone_patterns._safe(r"(\d)\1")


def test_importing_compiles_nothing() -> None:
    probe = (
        "from schemas.items import phone_patterns as p; "
        "assert not p._INTERNATIONAL; "
        "assert p._international.cache_info().currsize == p._national.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
