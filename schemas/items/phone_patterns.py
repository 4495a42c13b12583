"""The fast path for phone numbers: regular expressions built from the metadata of `phonenumbers`.

An expression accepts a number only where `parse` leaves its digits alone and `is_valid_number` accepts it. It
may reject too much (the caller then asks `phonenumbers`), but never accepts too much. It follows the steps of
`phonenumbers/phonenumberutil.py` for a text of ASCII digits, with or without one `+` in front:

1. `parse` cuts the calling code after a `+`. Without `+` it tries the region's international prefix, and the
   region's own calling code if the number does not fit the general description or is too long.
2. It strips a national prefix, unless the number fits the general description and the rest does not. The
   rules are those of the main region of the calling code or, without `+`, of the default region.
3. `is_valid_number` picks the first region of the calling code whose leading digits match, or that states
   none and has the number. There the number must fit the general description and one of the types.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from schemas.items.phone_notation import DOUBTFUL, DOUBTFUL_DOT, MAX_TEXT

FastPath = Callable[[str], str | None]
Matcher = Callable[[str], object]

_POSSIBLE_LENGTHS: Final = range(2, 18)  # national digits that `parse` lets pass
_CODES: Final = {f"+{code}": code for code in COUNTRY_CODE_TO_REGION_CODE}
_IGNORED: Final = str.maketrans("", "", " -.()")  # `parse` skips these wherever they stand
_HEAD: Final = re.compile(r"\+\d{1,3}", re.ASCII)  # only these heads are cached: about a thousand
# Anything else in a pattern (a back reference, a lookahead) might mean something else inside a longer one.
_SAFE_SYNTAX: Final = re.compile(r"(?:\\d|\(\?:|[0-9\[\]{},|()?$-])*")


def fast_path(region: str | None) -> FastPath:
    """Return a function from a text to its E.164 form, or to None where `phonenumbers` has to decide.

    `region` is the default for numbers without `+`; all of those get None if it is None or unknown.
    """
    international, known = _INTERNATIONAL, _INTERNATIONAL.get
    national = _national(region) if region in SUPPORTED_REGIONS else _NO_REGION
    plus, trunk, direct, after_trunk = national
    doubtful, doubtful_dot = DOUBTFUL.match, DOUBTFUL_DOT.search

    def fast(text: str) -> str | None:
        if known(text[:4], _never)(text):
            return text
        if len(text) > MAX_TEXT:
            return None
        bare = text.translate(_IGNORED)
        if len(bare) != len(text) and (doubtful(text) or ("." in text and doubtful_dot(text))):
            return None
        if bare.startswith("+"):
            return bare if international[bare[:4]](bare) else None
        if direct(bare):
            return plus + bare
        return plus + bare[len(trunk) :] if after_trunk(bare) else None

    return fast


class _ByHead(dict[str, Matcher]):
    """Matchers by the first four characters of a number with `+`, which hold its whole calling code."""

    def __missing__(self, head: str) -> Matcher:
        code = next((_CODES[head[:end]] for end in (2, 3, 4) if head[:end] in _CODES), None)
        matcher = _never if code is None else _international(code)
        if _HEAD.fullmatch(head):
            self[head] = matcher
        return matcher


_INTERNATIONAL: Final = _ByHead()


def _never(_: str) -> None:
    """Match nothing."""


@cache  # one entry per calling code, compiled for its first number
def _international(code: int) -> Matcher:
    parsing = _metadata(code, COUNTRY_CODE_TO_REGION_CODE[code][0])
    return _compile(rf"\+{code}", parsing, code)


class _National(NamedTuple):
    """How numbers of a region are recognised without `+`: as they are, or after the national prefix."""

    plus: str
    trunk: str
    direct: Matcher
    after_trunk: Matcher


_NO_REGION: Final = _National("", "", _never, _never)


@cache  # one entry per region
def _national(region: str) -> _National:
    parsing = _metadata(0, region)
    code = parsing.country_code
    assert code is not None
    trunk = _trunk(parsing)
    return _National(
        plus=f"+{code}",
        trunk=trunk,
        direct=_compile(r"\A", parsing, code),
        after_trunk=_compile(rf"\A{trunk}", parsing, code) if trunk else _never,
    )


def _trunk(parsing: PhoneMetadata) -> str:
    """Return the digits that `parse` strips from any number starting with them if the rest fits, or "".

    They are the first alternative of the prefixes, so that no other can win. `parse` must not take them for
    part of the calling code; if they are all of it (North America's 1), the rest is the same.
    """
    found = re.match(r"\d+(?=\||\Z)", parsing.national_prefix_for_parsing or "")
    trunk, code = found[0] if found else "", str(parsing.country_code)
    return "" if trunk != code and code.startswith(trunk[:1]) else trunk


def _metadata(code: int, region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    assert metadata is not None, (code, region)
    return metadata


def _compile(start: str, parsing: PhoneMetadata, code: int) -> Matcher:
    """Compile the expression for numbers that begin with `start`; `parse` uses the metadata `parsing`."""
    try:
        source = start + _unaltered(start, parsing) + _valid(code, parsing)
        if parsing.international_prefix:  # it cannot match a `+`
            source = f"(?!{_safe(parsing.international_prefix)}){source}"
    except _UnsafeSyntaxError:
        return _never
    return re.compile(source, re.ASCII).fullmatch


class _UnsafeSyntaxError(Exception):
    """A pattern uses syntax that must not be embedded."""


def _safe(pattern: str | None) -> str:
    if pattern is None or not _SAFE_SYNTAX.fullmatch(pattern):
        raise _UnsafeSyntaxError(pattern)
    return pattern


def _unaltered(start: str, parsing: PhoneMetadata) -> str:
    """Match only numbers that fit the general description and have no prefix that `parse` would strip.

    A prefix that matches nothing (Argentina's is optional throughout) strips nothing. `(?>…)` tries only
    the first way in which the prefix matches, as `parse` does.
    """
    fits = rf"(?={_matches(_general(parsing))}\Z)"
    if not parsing.national_prefix_for_parsing:
        return fits
    prefix = f"(?>{_safe(parsing.national_prefix_for_parsing)})(?<!{start})"
    if parsing.national_prefix_transform_rule:
        return f"{fits}(?!{prefix})"
    return rf"{fits}(?!{prefix}{_digits(_general(parsing))}\Z)"


def _valid(code: int, parsing: PhoneMetadata) -> str:
    """Match the rest of the number to the region that `is_valid_number` would pick for it."""
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    alternatives: list[str] = []
    claimed: list[str] = []  # leading digits of the earlier regions, which no later region may match
    for region in regions:
        metadata = _metadata(code, region)
        condition = f"(?!{'|'.join(claimed)})" if claimed else ""
        if metadata.leading_digits is not None and len(regions) > 1:
            condition += f"(?={_safe(metadata.leading_digits)})"
            claimed.append(metadata.leading_digits)
        if metadata is not parsing:
            condition += rf"(?={_matches(_general(metadata))}\Z)"
        alternatives.append(condition + _one_of_its_types(metadata))
    return f"(?:{'|'.join(alternatives)})"


def _one_of_its_types(metadata: PhoneMetadata) -> str:
    """Match any type of number; the most frequent types come first."""
    types = (
        None if metadata.same_mobile_and_fixed_line_pattern else metadata.mobile,
        metadata.fixed_line,
        metadata.toll_free,
        metadata.shared_cost,
        metadata.premium_rate,
        metadata.voip,
        metadata.personal_number,
        metadata.pager,
        metadata.uan,
        metadata.voicemail,
    )
    patterns = [_matches(desc) for desc in types if desc is not None and desc.national_number_pattern]
    return f"(?:{'|'.join(patterns) or '(?!)'})"


def _general(metadata: PhoneMetadata) -> PhoneNumberDesc:
    assert metadata.general_desc is not None, metadata.id
    return metadata.general_desc


def _matches(desc: PhoneNumberDesc) -> str:
    """Match the lengths and the digits of a description."""
    possible = [length for length in desc.possible_length or _POSSIBLE_LENGTHS if length in _POSSIBLE_LENGTHS]
    lengths = "|".join(rf"\d{{{length}}}" for length in possible)
    return rf"(?=(?:{lengths or '(?!)'})\Z)" + _digits(desc)


def _digits(desc: PhoneNumberDesc) -> str:
    return f"(?:{_safe(desc.national_number_pattern)})"
