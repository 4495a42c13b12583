"""Normalise phone numbers to E.164 text, or return why that fails.

`schemas.items.phone_notation` decides whether a text is one number, the library `phonenumbers` whether that
number is valid. Accepted are spaces and punctuation, quotes, labels such as `tel:`, the digits of any script,
letters of a toll-free number ("1-800-FLOWERS"), a national or international prefix of the default region, and
decimals and exponents of spreadsheets that have all digits. Numbers must be valid, not merely possible.

    normalise = normaliser_for("IN")
    normalise("098765 43210")    # "+919876543210"
    normalise("9876543210.0")    # "+919876543210"
    normalise("+1 415 555")      # PhoneFault(code=ItemCode.PHONE_TOO_SHORT, message="…")
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    enable_pattern_cache,
    format_number,
    is_possible_number_with_reason,
    is_valid_number,
    national_significant_number,
    number_type,
    parse,
)

from schemas.item_errors import ItemCode
from schemas.items.phone_notation import (
    MAX_TEXT,
    PhoneFault,
    PhoneText,
    ambiguous,
    not_a_number,
    read_notation,
)
from schemas.items.phone_patterns import fast_path

# phonenumbers uses more patterns than Python's own cache holds. Without this, numbers of many countries cost
# 320 µs each instead of 27, nearly all of it for compiling the same patterns again.
enable_pattern_cache()

# This and MAX_TEXT keep the cubic patterns of phonenumbers at about a millisecond: 250 characters of digits
# and spaces can take 300 ms, and a chunk has a thousand items.
_LONG_GAP: Final = re.compile(r"[^\w+]{9}")
_FEW_DIGITS: Final = re.compile(r"[+ .()-]*(?:\d[ .()-]*){1,2}")


# Letters stand for digits in numbers of these types only; after any other number they are a name or a note.
_VANITY_TYPES: Final = {
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PERSONAL_NUMBER,
    PhoneNumberType.UAN,
}
_VANITY_PREFIX: Final = 3  # digits, such as 800

Normaliser = Callable[[str], str | PhoneFault]


def normalise(text: str, region: str | None) -> str | PhoneFault:
    """Return the E.164 form of a phone number ("+919876543210"), or what is wrong with it.

    `region` (ISO 3166-1 alpha-2, upper case) is the default for numbers without `+`. With None, or a region
    that `is_region` rejects, such numbers have an unknown country code.
    """
    return normaliser_for(region)(text)


@lru_cache(maxsize=512)  # twice the number of regions; bounded because a caller may pass any text
def normaliser_for(region: str | None) -> Normaliser:
    """Return `normalise` for one region: about a microsecond for a valid number, 30 for any other."""
    fast = fast_path(region)

    def normalise_one(text: str) -> str | PhoneFault:
        return fast(text) or read_slowly(text, region)

    return normalise_one


def is_region(text: str) -> bool:
    """Return whether a text is a region in which numbers can be read: "IN", but not "in", "UK" or "001"."""
    return text in SUPPORTED_REGIONS


def read_slowly(text: str, region: str | None) -> str | PhoneFault:
    """Return what `normalise` returns, without the fast path."""
    text = text.strip()
    if len(text) > MAX_TEXT:
        return _too_long(f"The text is longer than {MAX_TEXT} characters; give one phone number only.")
    if _LONG_GAP.search(text):
        return not_a_number("The text has a long gap in it; write the number like +14155552671.")
    written = read_notation(text)
    return written if isinstance(written, PhoneFault) else _ask_phonenumbers(written, region)


def _ask_phonenumbers(written: PhoneText, region: str | None) -> str | PhoneFault:
    text = written.text
    try:
        number = parse(text, region)
    except NumberParseException as error:
        return _unreadable(text, region, error.error_type)
    valid = is_valid_number(number)
    if written.letters and not (valid and _is_vanity(number, written.letters)):
        return not_a_number("The text has letters in it; write only the number, like +14155552671.")
    if not valid:
        return _with_hint(_invalid(number, None if _has_plus(text) else region), text)
    if written.rival and _is_valid(written.rival, region):
        return ambiguous()
    return format_number(number, PhoneNumberFormat.E164)


def _with_hint(fault: PhoneFault, text: str) -> PhoneFault:
    """Return the fault of a number; its message says so if the number is valid with a `+` in front.

    The number is not read so: it may also be a number of the region that has lost or gained digits.
    """
    if _has_plus(text) or not _is_valid(f"+{text}", None):
        return fault
    hint = "With a + in front it is valid: spreadsheets drop the plus sign."
    return PhoneFault(code=fault.code, message=f"{fault.message} {hint}")


def _is_vanity(number: PhoneNumber, letters: int) -> bool:
    """Return whether letters can be digits of a number: most of a toll-free number after its three digits."""
    after = len(national_significant_number(number)) - _VANITY_PREFIX
    return number_type(number) in _VANITY_TYPES and letters * 2 >= after


def _is_valid(text: str, region: str | None) -> bool:
    try:
        return is_valid_number(parse(text, region))
    except NumberParseException:
        return False


def _unreadable(text: str, region: str | None, reason: int) -> PhoneFault:
    """Return the fault of a text that `parse` rejects."""
    match reason:
        case NumberParseException.INVALID_COUNTRY_CODE:
            return _unknown_country_code(text, region)
        case NumberParseException.TOO_LONG:
            return _too_long("The number has more digits than any phone number; check that it is only one.")
        case NumberParseException.NOT_A_NUMBER if not _FEW_DIGITS.fullmatch(text):
            return not_a_number("The text cannot be read as a phone number; write it like +14155552671.")
        case _:
            return _too_short("The number has fewer digits than any phone number; give all of its digits.")


def _unknown_country_code(text: str, region: str | None) -> PhoneFault:
    if _has_plus(text) or region in SUPPORTED_REGIONS:
        message = "The number starts with a country code that does not exist; check the digits after the +."
    elif region is None:
        message = "The number has no country code; put + and the code in front, or set a default region."
    else:
        message = (
            f"The number has no country code and {region[:20]!r} is no known region; "
            "put + and the code in front, or set a default region such as US."
        )
    return PhoneFault(code=ItemCode.PHONE_UNKNOWN_COUNTRY_CODE, message=message)


def _invalid(number: PhoneNumber, region: str | None) -> PhoneFault:
    """Return the fault of a number that `parse` reads; `region` if the country code comes from the region."""
    place = f"country code +{number.country_code}" + (f" (default region {region})" if region else "")
    match is_possible_number_with_reason(number):
        case ValidationResult.TOO_SHORT | ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            return _too_short(f"The number has too few digits for {place}; include its area code.")
        case ValidationResult.TOO_LONG:
            return _too_long(f"The number has too many digits for {place}; check both.")
        case _:
            return PhoneFault(
                code=ItemCode.PHONE_INVALID_FOR_REGION,
                message=f"No number of {place} has these digits; check both.",
            )


def _has_plus(text: str) -> bool:
    return "+" in text or "\N{FULLWIDTH PLUS SIGN}" in text


def _too_short(message: str) -> PhoneFault:
    return PhoneFault(code=ItemCode.PHONE_TOO_SHORT, message=message)


def _too_long(message: str) -> PhoneFault:
    return PhoneFault(code=ItemCode.PHONE_TOO_LONG, message=message)
