"""Phones: a text is read as the number that it stands for, or refused. It is never read as another number."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.phone import valid_numbers
from bench.phone_numbers import REGIONS
from schemas.item_errors import ItemCode
from schemas.items.phone import normalise
from schemas.items.phone_notation import PhoneFault

LOST, EXTENSION = ItemCode.PHONE_DIGITS_LOST, ItemCode.PHONE_EXTENSION
AMBIGUOUS, NO_NUMBER = ItemCode.PHONE_AMBIGUOUS, ItemCode.PHONE_NOT_A_NUMBER


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("30123456.0", "DE", "+4930123456"),
        ("30123456.00", "DE", "+4930123456"),
        ("30123456,0", "DE", "+4930123456"),
        ("30123456.000000", "DE", "+4930123456"),
        ("30123456.", "DE", "+4930123456"),
        (" 30123456.0 ", "DE", "+4930123456"),
        ("493012345.0", "DE", "+493012345"),
        ("+493012345.0", None, "+493012345"),
        ("15123456789.0", "DE", "+4915123456789"),
        ("0612345678.0", "IT", "+390612345678"),
        ("4.93012345678E+11", "DE", "+493012345678"),
        ("4,93012345678E+11", "DE", "+493012345678"),
        ("4.93012345678e11", "DE", "+493012345678"),
        ("4.930123456780E+11", "DE", "+493012345678"),
        ("+4.93012345678E+11", None, "+493012345678"),
        ("4155552671E0", "US", "+14155552671"),
        ("+1.4155552671", None, "+14155552671"),  # RFC 5733
        ("415.5552671", "US", "+14155552671"),
        ("919876543210.0", "IN", "+919876543210"),
        ("9.19876543210E+11", "IN", "+919876543210"),
        ("919,876,543,210", "IN", "+919876543210"),
        ("919,876,543,210.00", "IN", "+919876543210"),
        ("919.876.543.210,0", "IN", "+919876543210"),
        ("9,19,87,65,43,210", "IN", "+919876543210"),
        ("+919,876,543,210", None, "+919876543210"),
        ("919'876'543'210", "IN", "+919876543210"),
        ("919\u2019876\u2019543\u2019210", "IN", "+919876543210"),
        ("'919876543210.0", "IN", "+919876543210"),
        ("301234567", "DE", "+49301234567"),  # without the leading zero
        ("01.23.45.67.89", "FR", "+33123456789"),
        ("030.123.45.67", "DE", "+49301234567"),
        ("+49 (0) 30 1234567", None, "+49301234567"),
        ("030/1234567", "DE", "+49301234567"),
        ("030 1234567-12", "DE", "+4930123456712"),  # German extensions are dialled
        ("+49 30 12345\u200b67", None, "+49301234567"),
        ("\u202a+49301234567\u202c", None, "+49301234567"),
        ("\u0660\u0663\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "DE", "+49301234567"),
        ("'+49301234567", None, "+49301234567"),
        ('="+49301234567"', None, "+49301234567"),
        ("tel:+49-30-1234567", None, "+49301234567"),
        ("tel:30-1234567;phone-context=+49", None, "+49301234567"),
        ("whatsapp:+49301234567", None, "+49301234567"),
        ("Tel. 030 1234567", "DE", "+49301234567"),
        ("Mob. 030 1234567", "DE", "+49301234567"),
        ("Telefon: 030 1234567", "DE", "+49301234567"),
        ("Tél : 01 23 45 67 89", "FR", "+33123456789"),
        ("Te\u0301l : 01 23 45 67 89", "FR", "+33123456789"),
        ("Cel: 415 555 2671", "US", "+14155552671"),
        ("電話\uff1a+49 30 1234567", None, "+49301234567"),
        ("тел. +49 30 1234567", None, "+49301234567"),
        ("p:+49301234567", None, "+49301234567"),
        ("Numero: +49 30 1234567", None, "+49301234567"),
        ("\u2039+49301234567\u203a", None, "+49301234567"),
        ("\u201c+49301234567\u201d", None, "+49301234567"),
        ("\u00ab+49301234567\u00bb", None, "+49301234567"),
        ("+1~415~555~2671", None, "+14155552671"),
        ("+1\u00b7415\u00b7555\u00b72671", None, "+14155552671"),
        ("+1\u2013415\u00a0555\u20132671", None, "+14155552671"),
        ("1 800 GOT MILK", "US", "+18004686455"),
        ("0800 FLOWERS", "DE", "+498003569377"),
    ],
)
def test_a_text_is_read_as_the_number_that_it_stands_for(text: str, region: str | None, number: str) -> None:
    assert normalise(text, region) == number


@pytest.mark.parametrize(
    ("text", "region", "code"),
    [
        ("4.93E+11", "DE", LOST),
        ("4,93012E+11", "DE", LOST),
        ("4.93012345678E-11", "DE", LOST),
        ("0.493012345678E12", "DE", LOST),
        ("1e9", "DE", LOST),
        ("30123456.5", "DE", LOST),
        ("30123456,25", "DE", LOST),
        ("30123456.789", "DE", LOST),
        ("+49 30123456.0", "DE", LOST),
        ("(30123456.0)", "DE", LOST),
        ("9.1988E+11", "IN", LOST),
        ("919,876,543,210.5", "IN", AMBIGUOUS),
        ("919,876,5432,10", "IN", AMBIGUOUS),
        ("04101.000", "DE", LOST),  # 04101 or 04101 000
        ("+1 415 555 2671 x123", None, EXTENSION),
        ("+1 415 555 2671;ext=12", None, EXTENSION),
        ("030 123456 Durchwahl 12", "DE", EXTENSION),
        ("030 123456 App. 5", "DE", EXTENSION),
        ("0301234567#12", "DE", EXTENSION),
        ("0301234567~12", "DE", EXTENSION),
        ("+493012345678/+493012345679", None, AMBIGUOUS),
        ("030 123456 / 7", "DE", AMBIGUOUS),
        ("030123456;030123457", "DE", AMBIGUOUS),
        ("030123456,030123457", "DE", AMBIGUOUS),
        ("0301234567 & 0301234568", "DE", AMBIGUOUS),
        ("+493012\n34567", None, AMBIGUOUS),
        ("30,123,456", "DE", AMBIGUOUS),
        ("030 1234567 Ana", "DE", NO_NUMBER),
        ("0800 123456 Ana", "DE", NO_NUMBER),
        ("1300 12 ANNA", "AU", AMBIGUOUS),  # 1300 12 is a number, too
        ("030 12B4567", "DE", NO_NUMBER),
        ("03O1234567", "DE", NO_NUMBER),
        ("O301234567", "DE", NO_NUMBER),
        ("l5112345678", "DE", NO_NUMBER),
        ("Room 12 030 1234567", "DE", NO_NUMBER),
        ("Room: 12 030 1234567", "DE", NO_NUMBER),
        ("Apt. 5 030 1234567", "DE", NO_NUMBER),
        ("Fax: +49 30 1234567", None, NO_NUMBER),
        ("30123456\u00b70", "DE", NO_NUMBER),
        ("2024_11_22", "NO", NO_NUMBER),
        ("0301234567*", "DE", NO_NUMBER),
        ("+49 30 12345**", None, NO_NUMBER),
        ("0800 XXX 1234", "DE", NO_NUMBER),
        ("+49 30 xxx 1234567", None, NO_NUMBER),
        ("-30123456", "DE", NO_NUMBER),
        ("$30123456", "DE", NO_NUMBER),
        ("22.11.2024", "NO", NO_NUMBER),
        ("2024-11-22", "NO", NO_NUMBER),
        ("11/22/2024", "NO", NO_NUMBER),
        ("nan", "US", NO_NUMBER),
        ("#N/A", "US", NO_NUMBER),
        ("True", "US", NO_NUMBER),
    ],
)
def test_a_text_that_may_be_another_number_is_refused(text: str, region: str | None, code: ItemCode) -> None:
    fault = normalise(text, region)
    assert isinstance(fault, PhoneFault), fault
    assert fault.code is code
    assert fault.message.endswith(".")


def test_a_number_that_is_valid_only_with_a_plus_is_refused_with_the_cure() -> None:
    for region in ("US", "FR"):
        fault = normalise("4915112345678", region)
        assert isinstance(fault, PhoneFault)
        assert fault.message.endswith("spreadsheets drop the plus sign.")
    fault = normalise("12345", "US")
    assert isinstance(fault, PhoneFault)
    assert "spreadsheets" not in fault.message


def test_a_group_of_digits_that_is_no_date_is_read() -> None:
    assert normalise("22.13.2024", "NO") == "+4722132024"
    assert normalise("22-11-20-24", "NO") == "+4722112024"


NUMBERS = valid_numbers(20, 3_000)
UNTIMED = settings(deadline=None)  # the first number of a country compiles its pattern


@UNTIMED
@given(
    number=st.sampled_from(NUMBERS),
    write=st.sampled_from(["{}.0", "{}.00", "{},0", "{}.", "{}.0 ", "{}E0", "{}E+00"]),
)
def test_a_number_as_a_decimal_is_the_number(
    number: tuple[phonenumbers.PhoneNumber, str], write: str
) -> None:
    """All regions and types; national with a leading zero, national as a number, international."""
    for digits in writings_of(number[0]):
        plain, decimal = normalise(digits, number[1]), normalise(write.format(digits), number[1])
        if isinstance(plain, PhoneFault) or (digits.startswith("0") and "E" in write):
            assert isinstance(decimal, PhoneFault), (digits, decimal)
        else:
            assert decimal == plain


@UNTIMED
@given(
    number=st.sampled_from(NUMBERS),
    precision=st.integers(0, 16),
    point=st.sampled_from([".", ","]),
    exponent=st.sampled_from(["E", "e"]),
)
def test_a_number_with_an_exponent_is_the_number_or_has_lost_digits(
    number: tuple[phonenumbers.PhoneNumber, str], precision: int, point: str, exponent: str
) -> None:
    for digits in writings_of(number[0]):
        value = int(digits)
        plain = normalise(f"+{value}" if digits.startswith("+") else str(value), number[1])
        text = f"{value:.{precision}{exponent}}".replace(".", point)
        result = normalise(f"+{text}" if digits.startswith("+") else text, number[1])
        if precision < len(str(value)) - 1:
            assert isinstance(result, PhoneFault)
            assert result.code is LOST
        elif isinstance(plain, PhoneFault):
            assert isinstance(result, PhoneFault)
        else:
            assert result == plain


def test_python_floats_of_all_regions_are_the_numbers() -> None:
    """`str(float(…))`, which is how pandas writes a column of numbers with an empty cell in it."""
    for number, region in NUMBERS:
        value = int(phonenumbers.national_significant_number(number))
        plain, result = normalise(str(value), region), normalise(str(float(value)), region)
        assert result == plain if isinstance(plain, str) else isinstance(result, PhoneFault)


@UNTIMED
@given(text=st.text(alphabet="0123456789+. ,-/()Ee", max_size=20), region=st.sampled_from(REGIONS))
def test_a_number_has_the_digits_of_its_text(text: str, region: str) -> None:
    """Without a decimal, an exponent or a date, the stored digits end the digits of the text."""
    result = normalise(text, region)
    if isinstance(result, str) and not {"e", "E", ","} & set(text) and "." not in text:
        digits = "".join(filter(str.isdigit, text))
        assert result.endswith(digits[-4:])


@UNTIMED
@given(
    number=st.sampled_from(NUMBERS),
    write=st.sampled_from(
        [
            "Mob. {}",
            "T\u00e9l : {}",
            "\u7535\u8bdd\uff1a{}",
            "\u00ab{}\u00bb",
            "\u201c{}\u201d",
            "\u2039{}\u203a",
        ]
    ),
)
def test_a_decorated_number_is_the_number(number: tuple[phonenumbers.PhoneNumber, str], write: str) -> None:
    for digits in writings_of(number[0]):
        plain, decorated = normalise(digits, number[1]), normalise(write.format(digits), number[1])
        assert decorated == plain


def writings_of(number: phonenumbers.PhoneNumber) -> list[str]:
    """Return the digits of a number: national, national as a number, with and without +."""
    national = phonenumbers.national_significant_number(number)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return [national, str(int(national)), e164, e164.removeprefix("+")]
