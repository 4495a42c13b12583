"""The fast path agrees with `phonenumbers` on the number that a text stands for.

`python -m bench.phone` compares millions of numbers.
"""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.phone import compare, fast_share, valid_numbers
from bench.phone_numbers import REGIONS, verdict
from schemas.items.phone_patterns import fast_path

TRIALS = 40_000  # about 5 seconds of one core; `./run bench phone` compares two million
SEED = 7_410_258


@pytest.mark.slow
def test_the_fast_path_agrees_with_phonenumbers() -> None:
    tally = compare(SEED, TRIALS)
    assert not tally.disagreements, "\n".join(tally.disagreements[:20])
    # the trials prove something only with many valid and many invalid numbers
    assert TRIALS * 0.25 < tally.valid < TRIALS * 0.75


def test_the_fast_path_takes_nearly_all_valid_e164_numbers() -> None:
    numbers = valid_numbers(SEED, 5_000)
    e164 = [(phonenumbers.format_number(number, 0), None) for number, _ in numbers]
    national = [(phonenumbers.national_significant_number(number), region) for number, region in numbers]
    assert fast_share(e164) > 0.99
    assert fast_share(national) > 0.98


@pytest.mark.parametrize("region", REGIONS)
def test_the_example_numbers_of_a_region_take_the_fast_path(region: str) -> None:
    example = phonenumbers.example_number(region)
    assert example is not None
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert fast_path(None)(e164) == e164
    assert fast_path(region)(phonenumbers.national_significant_number(example)) == e164


@settings(deadline=None)  # the first number of a country compiles its pattern
@given(
    text=st.text(alphabet="+0123456789 -.()", max_size=24),
    region=st.sampled_from([None, *REGIONS]),
)
def test_the_fast_path_accepts_nothing_that_phonenumbers_refuses(text: str, region: str | None) -> None:
    fast = fast_path(region)(text)
    assert fast is None or fast == verdict(text, region)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+9109876543210", None),  # the national prefix after the calling code is stripped
        ("+390612345678", None),  # Italy's leading zero stays
        (
            "+5491123456789",
            None,
        ),  # Argentina: the whole national prefix is optional, and here it matches nothing
        ("+541115234567", None),  # Argentina: 15 after the area code may be rewritten to a leading 9
        ("+78001234567", None),  # Russia: 8 is the national prefix, and starts valid numbers too
        ("+77710009998", None),  # shared with Kazakhstan, which claims the leading digit 7
        ("+18091234567", None),  # shared by 25 regions: one claims these leading digits
        ("+447911123456", None),  # shared with Jersey, Guernsey and Man
        ("+80012345678", None),  # belongs to no country
        ("+999123456", None),  # no such calling code
        ("001912345678", "IT"),  # the international prefix comes before the national number
        ("919876543210", "IN"),  # the calling code without a plus
        ("09876543210", "IN"),  # the national prefix
        ("14155552671", "US"),  # North America's national prefix is its calling code
        ("4155552671", "GB"),  # the number of another region
        ("5551234", "US"),  # a local number
        ("0549886377", "SM"),  # San Marino adds its area code to local numbers
        ("+919876543210\n", None),  # a line end is no digit
        ("+९१9876543210", None),  # digits of another script
        ("+91987654321\uff10", None),
        ("30123456.0", "DE"),  # a decimal
        (" (30123456.00) ", "DE"),
        ("51230.0", "FK"),
        ("+493012345.", "DE"),
        ("30123456.789", "DE"),
        ("-30123456", "DE"),  # a minus sign
        ("(-30123456", "DE"),
        (".30123456", "DE"),
        ("22.11.2024", "NO"),  # a date
        ("22-11-2024", "NO"),
        ("2022-11-20 ", "NO"),
    ],
)
def test_the_special_cases_of_the_metadata_are_handled(text: str, region: str | None) -> None:
    fast = fast_path(region)(text)
    assert fast is None or fast == verdict(text, region)
